// domainfusion data: which sets are known, and whether a folder holds what it should.
#include <chrono>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/fetch/dataset_fetch.h"
#include "domainfusion/data/imports/image_list.h"
#include "domainfusion/data/imports/mnist_sets.h"
#include "domainfusion/data/verification/set_counts.h"
#include "domainfusion/data/verification/set_verification.h"

namespace domainfusion {
namespace {

constexpr std::size_t kListed = 10;

struct ListArguments {
  std::string data, exclude;
};

struct VerifyArguments {
  std::string data, set, exclude, write, manifest;
};

void print_known_sets() {
  for (const KnownDataset& known : known_datasets()) {
    fmt::print("{}: {} classes in {} domains. {}\n", known.name, known.number_of_classes, known.domain_names.size(),
               known.note);
    const SetCounts counts = counts_of(known);
    if (counts.total() > 0) fmt::print("{}", counts.table());
    for (std::size_t d = 0; d < known.domain_names.size(); ++d) {
      fmt::print("  {}: \"{}\"\n", known.domain_names[d], known.domain_descriptions[d]);
    }
    fmt::print("\n");
  }
}

void list_sets(const ListArguments& arguments) {
  if (arguments.data.empty()) return print_known_sets();
  const FolderDataset dataset(arguments.data, {.exclude = arguments.exclude});
  const SetCounts counts = count_images(dataset);
  const KnownDataset* known = find_known_dataset(dataset.domain_names(), dataset.class_names());
  fmt::print("{}{}\n{}", arguments.data, known ? ": domains and classes of " + known->name : "", counts.table());
}

// At most kListed lines, and how many more there are.
template <class List, class Text>
void print_file_list(std::string_view title, const List& list, Text text) {
  if (list.empty()) return;
  fmt::print("{}: {}\n", title, list.size());
  for (std::size_t i = 0; i < std::min(kListed, list.size()); ++i) fmt::print("  {}\n", text(list[i]));
  if (list.size() > kListed) fmt::print("  and {} more\n", list.size() - kListed);
}

const auto kPlain = [](const std::string& text) { return text; };
const auto kPair = [](const DomainOverlap::Pair& pair) { return pair.first + " = " + pair.second; };

// Returns whether the figures are those of the set that is named, or that the folder looks like.
bool check_figures(const FolderDataset& dataset, const std::string& set) {
  const SetCounts counts = count_images(dataset);
  fmt::print("{}", counts.table());
  const KnownDataset* known =
      set.empty() ? find_known_dataset(dataset.domain_names(), dataset.class_names()) : &known_dataset(set);
  if (known == nullptr) {
    fmt::print("no known set has these domains and classes: the counts are compared with nothing\n");
    return true;
  }
  const std::vector<std::string> differences = differences_from_known(counts, *known, !set.empty());
  print_file_list("differences from " + known->name, differences, kPlain);
  if (differences.empty()) fmt::print("counts: as in {}\n", known->name);
  return differences.empty();
}

bool check_manifest(const std::string& file, const SetManifest& found) {
  const ManifestDifference difference = compare_manifests(read_manifest(file), found);
  print_file_list("missing files", difference.missing, kPlain);
  print_file_list("changed files", difference.changed, kPlain);
  print_file_list("extra files", difference.extra, kPlain);
  if (difference.none()) fmt::print("manifest: all {} files are as in {}\n", found.size(), file);
  return difference.none();
}

void print_overlaps(const FolderDataset& dataset, const SetExamination& examination) {
  const std::int64_t repeats = examination.repeats_inside_domains();
  if (repeats > 0) fmt::print("files that repeat another of their domain: {}\n", repeats);
  const std::vector<DomainOverlap> overlaps = examination.overlaps(dataset);
  for (const DomainOverlap& overlap : overlaps) {
    print_file_list(fmt::format("equal files in {} and {}", overlap.first, overlap.second), overlap.same_file, kPair);
    print_file_list(fmt::format("near-duplicates in {} and {}", overlap.first, overlap.second), overlap.near, kPair);
  }
  if (overlaps.empty()) fmt::print("no picture lies in two domains\n");
}

SetExamination examine(const FolderDataset& dataset) {
  Progress progress("reading", count_images(dataset).total(), "images");
  SetExamination examination = examine_set(dataset, [&](std::int64_t done) { progress.update(done); });
  progress.finish();
  return examination;
}

void verify_data(const VerifyArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  const FolderDataset dataset(arguments.data, {.exclude = arguments.exclude});
  bool good = check_figures(dataset, arguments.set);
  const SetExamination examination = examine(dataset);
  const std::vector<ExaminedImage> unreadable = examination.unreadable();
  print_file_list("unreadable images", unreadable, [](const ExaminedImage& image) { return image.error; });
  good = good && unreadable.empty();
  if (!arguments.manifest.empty()) good = check_manifest(arguments.manifest, examination.manifest()) && good;
  print_overlaps(dataset, examination);
  if (!arguments.write.empty()) {
    write_manifest(arguments.write, examination.manifest());
    fmt::print("hashes of {} files written to {}\n", examination.images.size(), arguments.write);
  }
  fmt::print("{} images read in {}\n", examination.images.size(),
             format_seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()));
  check<FormatError>(good, "{}: not as it should be; what is wrong stands above", arguments.data);
}

struct FetchArguments {
  std::string set, to, inner, mirrors_file;
  std::vector<std::string> mirrors;
  std::int64_t max_gigabytes = 256;
  bool keep = false;
};

// A set that is not known can be fetched too, from a mirror.
KnownDataset known_or_empty(const std::string& name) {
  for (const KnownDataset& known : known_datasets()) {
    if (is_same_name(known.name, name)) return known;
  }
  return {};
}

void fetch(const FetchArguments& arguments) {
  std::vector<std::string> mirrors = arguments.mirrors;
  if (!arguments.mirrors_file.empty()) {
    const auto more = read_mirrors(arguments.mirrors_file, arguments.set);
    mirrors.insert(mirrors.end(), more.begin(), more.end());
  }
  const KnownDataset known = mirrors.empty() ? known_dataset(arguments.set) : known_or_empty(arguments.set);
  FetchRequest request;
  request.sources = fetch_sources(arguments.set, known.archives, mirrors);
  request.to = arguments.to;
  request.domain_names = known.domain_names;
  request.inner = arguments.inner;
  request.keep_archives = arguments.keep;
  request.limits.bytes = request.download.max_bytes = arguments.max_gigabytes << 30;
  fetch_dataset(request);
  fmt::print("{} lies in {}; `domainfusion data verify {}{}` checks it\n", arguments.set, arguments.to, arguments.to,
             known.name.empty() ? "" : " --set " + known.name);
}

void add_fetch(Command& data) {
  Command command = data.add("fetch", "download a set; only this and `fetch` contact another machine");
  auto arguments = std::make_shared<FetchArguments>();
  command.option("set", arguments->set, "its name, see `domainfusion data ls`").required();
  command.option("--to", arguments->to, "folder that becomes the set").required();
  command.option("--mirror", arguments->mirrors,
                 "address of an archive (zip, tar), or, with '/' at its end, of a folder of the known archives; may "
                 "be given often");
  command.option("--mirrors", arguments->mirrors_file, "JSON file {\"SET\": [addresses]}");
  command.option("--inner", arguments->inner, "folder inside the archive that holds the domain folders");
  command.option("--max-gib", arguments->max_gigabytes, "largest size, unpacked").within(1, 1 << 20).default_shown();
  command.flag("--keep", arguments->keep, "keep the archives in DIR/.fetch");
  command.run([arguments] { fetch(*arguments); });
}

void add_import_mnist(Command& data) {
  struct Arguments {
    std::string idx, set, out;
    std::int64_t seed = 0;
  };
  Command command = data.add("import-mnist", "make ColoredMNIST or RotatedMNIST, as folders, of MNIST's idx files");
  auto a = std::make_shared<Arguments>();
  command.option("idx", a->idx, "folder with MNIST's four files, unpacked").required();
  command.option("--set", a->set, "ColoredMNIST or RotatedMNIST").required();
  command.option("--out", a->out, "folder to make").required();
  command.option("--seed", a->seed, "of which image goes where, and of turned labels and colours").default_shown();
  command.run([a] {
    const bool color = is_same_name(a->set, "ColoredMNIST");
    check<ConfigError>(color || is_same_name(a->set, "RotatedMNIST"), "--set {}: expected ColoredMNIST or RotatedMNIST",
                       a->set);
    const auto images = write_mnist_set(color ? MnistSet::kColored : MnistSet::kRotated, a->idx, a->out,
                                        static_cast<std::uint64_t>(a->seed));
    fmt::print("{} images in {}\n", images, a->out);
  });
}

void add_import_list(Command& data) {
  struct Arguments {
    std::string list, out;
    std::vector<std::string> splits;
  };
  Command command = data.add("import-list", "make a set, of links, from a CSV file with path, label, domain and split");
  auto a = std::make_shared<Arguments>();
  command.option("list", a->list, "the file; its first line names the columns").required();
  command.option("--out", a->out, "folder to make").required();
  command.option("--split", a->splits, "take rows of this split alone; may be given often");
  command.run([a] {
    const ImportedList imported = import_image_list(a->list, a->out, a->splits);
    fmt::print("{} images in {}, {} of other splits left out\n", imported.images, a->out, imported.of_other_splits);
  });
}

void add_ls(Command& data) {
  Command command = data.add("ls", "the known sets, or the images per domain and class of a folder");
  auto arguments = std::make_shared<ListArguments>();
  command.option("--data", arguments->data, "folder <domain>/<class>/<image>");
  command.option("--exclude", arguments->exclude, "text file of images to leave out");
  command.run([arguments] { list_sets(*arguments); });
}

void add_verify(Command& data) {
  Command command = data.add(
      "verify",
      "read every file: counts against known figures, unreadable images, hashes, pictures that lie in two domains");
  auto arguments = std::make_shared<VerifyArguments>();
  command.option("data", arguments->data, "folder <domain>/<class>/<image>").required();
  command.option("--set", arguments->set, "known set that it has to be, whole; else the one that it looks like");
  command.option("--exclude", arguments->exclude, "text file of images to leave out");
  command.option("--write", arguments->write, "write the hashes of all files there, as sha256sum does");
  command.option("--manifest", arguments->manifest, "compare with the hashes in this file");
  command.run([arguments] { verify_data(*arguments); });
}

}  // namespace

void add_data_command(Command& app) {
  Command data = app.add("data", "list, verify, fetch and import sets of images");
  data.require_command();
  add_ls(data);
  add_verify(data);
  add_fetch(data);
  add_import_mnist(data);
  add_import_list(data);
}

}  // namespace domainfusion
