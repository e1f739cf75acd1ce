#include "domainfusion/data/sets/folder_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/data/sets/image_files.h"
#include "domainfusion/data/sets/name_forms.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;
constexpr std::size_t kListedBroken = 10;
constexpr std::size_t kListedClasses = 5;  // that a domain lacks: more are counted, not listed

// `folder` and all folders below it, as os.walk gives them, each with its files.
void collect_folders(const fs::path& folder, int depth, std::map<std::string, std::vector<std::string>>& files,
                     PassedOver& passed_over) {
  check<FormatError>(depth < kMaxDepth, "{}: more than {} folders deep (a link that leads back?)", folder.string(),
                     kMaxDepth);
  FolderEntries entries = entries_of(folder, passed_over);
  files[folder.string()] = std::move(entries.files);
  for (const std::string& name : entries.folders) collect_folders(folder / name, depth + 1, files, passed_over);
}

// Image files of one class, relative to `root`, in ImageFolder's order. Those that cannot be decoded stay in the list,
// so that the indices agree with DomainBed's.
std::vector<std::string> images_of_class(const fs::path& root, const fs::path& class_folder, PassedOver& passed_over) {
  std::map<std::string, std::vector<std::string>> files;  // by folder
  collect_folders(class_folder, 0, files, passed_over);
  std::vector<std::string> paths;
  for (const auto& [folder, names] : files) {
    for (const std::string& name : names) {
      const fs::path file = fs::path(folder) / name;
      if (is_picture(file, passed_over)) paths.push_back(file.lexically_relative(root).generic_string());
    }
  }
  return paths;
}

// The lines of the list, without white space around them; "./" in front of a path does not count.
std::set<std::string> read_exclusion_list(const fs::path& file) {
  std::set<std::string> paths;
  if (file.empty()) return paths;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
    if (first != std::string::npos)
      paths.insert(fs::path(line.substr(first, last + 1 - first)).lexically_normal().generic_string());
  }
  return paths;
}

}  // namespace

FolderDataset::FolderDataset(fs::path root, FolderOptions options)
    : root_(std::move(root)), alpha_(options.alpha), hashes_(std::make_unique<FileHashes>(options.hash_memory)) {
  std::error_code error;
  const fs::file_status status = fs::status(root_, error);
  check<IoError>(fs::exists(status), "data folder '{}' does not exist; expected <domain>/<class>/<image> below it",
                 root_.string());
  check<IoError>(fs::is_directory(status), "'{}' is a file; expected a folder with <domain>/<class>/<image> below it",
                 root_.string());
  list_images(read_exclusion_list(options.exclude));
  if (!options.exclude.empty())
    log_info("{}: {} images are left out by {}", root_.string(), excluded_, options.exclude.string());
  if (options.skip_broken) leave_out_broken();
  leave_out_empty_classes();
  check_usable(options.fewest_classes);
}

void FolderDataset::list_images(const std::set<std::string>& left_out) {
  PassedOver passed_over;
  domain_names_ = entries_of(root_, passed_over).folders;
  check<FormatError>(!domain_names_.empty(), "{}: no domain folders; expected <domain>/<class>/<image> below it",
                     root_.string());
  std::vector<std::map<std::string, std::vector<std::string>>> paths;  // [domain][class]
  std::set<std::string> classes;
  for (const std::string& domain : domain_names_) {
    auto& of_domain = paths.emplace_back();
    for (const std::string& name : entries_of(root_ / domain, passed_over).folders) {
      auto images = images_of_class(root_, root_ / domain / name, passed_over);
      excluded_ += static_cast<std::int64_t>(
          std::erase_if(images, [&](const std::string& path) { return left_out.contains(path); }));
      if (!images.empty()) of_domain[name] = std::move(images);
      classes.insert(name);
    }
  }
  for (std::string& sentence : passed_over.sentences()) remark(std::move(sentence));
  class_names_.assign(classes.begin(), classes.end());
  for (std::string& sentence : names_alike("domains", domain_names_)) remark(std::move(sentence));
  for (std::string& sentence : names_alike("classes", class_names_)) remark(std::move(sentence));
  samples_.resize(domain_names_.size());
  for (std::size_t d = 0; d < domain_names_.size(); ++d) {
    for (std::size_t c = 0; c < class_names_.size(); ++c) {
      for (std::string& path : paths[d][class_names_[c]]) {
        samples_[d].push_back({std::move(path), static_cast<std::int64_t>(c), static_cast<std::int64_t>(d)});
      }
    }
  }
}

void FolderDataset::remark(std::string sentence) {
  log_warning("{}: {}", root_.string(), sentence);
  remarks_.push_back(std::move(sentence));
}

// A classifier could not learn them, and ImageFolder does not take them either: its error names the folder.
void FolderDataset::leave_out_empty_classes() {
  std::vector<bool> used(class_names_.size());
  for (const auto& samples : samples_) {
    for (const SampleInfo& sample : samples) used[static_cast<std::size_t>(sample.label)] = true;
  }
  std::vector<std::int64_t> label_of(class_names_.size());
  std::vector<std::string> kept, empty;
  for (std::size_t c = 0; c < class_names_.size(); ++c) {
    label_of[c] = static_cast<std::int64_t>(kept.size());
    (used[c] ? kept : empty).push_back(class_names_[c]);
  }
  if (empty.empty() || kept.empty()) return;
  for (auto& samples : samples_) {
    for (SampleInfo& sample : samples) sample.label = label_of[static_cast<std::size_t>(sample.label)];
  }
  class_names_ = std::move(kept);
  remark(fmt::format("left out: {} class folder(s) without an image in any domain: {}", empty.size(),
                     fmt::join(empty, ", ")));
}

void FolderDataset::check_usable(std::size_t fewest_classes) {
  check<FormatError>(
      class_names_.size() >= fewest_classes,
      "{}: {} class folder(s) ({}); classification needs at least two classes, in folders <domain>/<class>/<image>: "
      "is this one domain of a set, or the folder above it?",
      root_.string(), class_names_.size(), fmt::join(class_names_, ", "));
  for (std::size_t d = 0; d < samples_.size(); ++d) {
    check<FormatError>(!samples_[d].empty(),
                       "{}: domain '{}' has no images; expected <class>/<image> (JPEG, PNG or WebP) below it",
                       root_.string(), domain_names_[d]);
    std::vector<bool> present(class_names_.size());
    for (const SampleInfo& sample : samples_[d]) present[static_cast<std::size_t>(sample.label)] = true;
    std::vector<std::string> absent;
    for (std::size_t c = 0; c < present.size(); ++c) {
      if (!present[c]) absent.push_back(class_names_[c]);
    }
    if (absent.size() > kListedClasses) {
      remark(fmt::format("domain '{}' has images of {} of the {} classes", domain_names_[d],
                         present.size() - absent.size(), present.size()));
      continue;
    }
    for (const std::string& name : absent) {
      remark(fmt::format("domain '{}' has no image of class '{}'", domain_names_[d], name));
    }
  }
}

std::vector<std::string> FolderDataset::decoding_errors(std::int64_t domain) const {
  std::vector<std::string> causes(static_cast<std::size_t>(size(domain)));
  parallel_for_each(causes.size(), [&](std::size_t i) {
    try {
      image(domain, static_cast<std::int64_t>(i));
    } catch (const Error& error) {
      causes[i] = error.what();
    } catch (const std::bad_alloc&) {
      causes[i] = info(domain, static_cast<std::int64_t>(i)).path + ": not enough memory to decode it";
    }
  });
  return causes;
}

void FolderDataset::leave_out_broken() {
  for (std::size_t d = 0; d < samples_.size(); ++d) {
    const std::vector<std::string> causes = decoding_errors(static_cast<std::int64_t>(d));
    std::vector<SampleInfo> good;
    for (std::size_t i = 0; i < causes.size(); ++i) {
      if (causes[i].empty()) {
        good.push_back(std::move(samples_[d][i]));
      } else {
        broken_.push_back({std::move(samples_[d][i].path), causes[i]});
      }
    }
    samples_[d] = std::move(good);
  }
  if (broken_.empty()) return;
  log_warning("{}: {} broken image(s) left out:", root_.string(), broken_.size());
  for (std::size_t i = 0; i < std::min(kListedBroken, broken_.size()); ++i) log_warning("  {}", broken_[i].cause);
  if (broken_.size() > kListedBroken) log_warning("  and {} more", broken_.size() - kListedBroken);
}

std::int64_t FolderDataset::size(std::int64_t domain) const {
  return static_cast<std::int64_t>(samples_.at(static_cast<std::size_t>(domain)).size());
}

const SampleInfo& FolderDataset::info(std::int64_t domain, std::int64_t index) const {
  return samples_.at(static_cast<std::size_t>(domain)).at(static_cast<std::size_t>(index));
}

fs::path FolderDataset::path_of(std::int64_t domain, std::int64_t index) const {
  return root_ / info(domain, index).path;
}

Image FolderDataset::image(std::int64_t domain, std::int64_t index) const {
  return read_image(path_of(domain, index), alpha_);
}

std::string FolderDataset::pixel_identity(std::int64_t domain, std::int64_t index) const {
  const std::string hash = file_hash(domain, index);
  return alpha_ == Alpha::kDrop ? hash : fmt::format("{}-{}", hash, name_of(alpha_));
}

std::string FolderDataset::file_hash(std::int64_t domain, std::int64_t index) const {
  return hashes_->sha256(path_of(domain, index));
}

}  // namespace domainfusion
