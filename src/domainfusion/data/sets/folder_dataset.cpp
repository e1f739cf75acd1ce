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
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;
constexpr std::size_t kListedBroken = 10;

// Names of the folders (or files) in `folder`, in byte order, without those that begin with a dot.
std::vector<std::string> names_in(const fs::path& folder, bool folders) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entries(folder, error);
  check<IoError>(!error, "{}: cannot be listed: {}", folder.string(), error.message());
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (name.empty() || name.front() == '.' || entry.is_directory(error) != folders) continue;
    check_file_name(entry.path());
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// `folder` and all folders below it, as os.walk gives them.
void collect_folders(const fs::path& folder, int depth, std::vector<std::string>& found) {
  check<FormatError>(depth < kMaxDepth, "{}: more than {} folders deep (a link that leads back?)", folder.string(),
                     kMaxDepth);
  found.push_back(folder.string());
  for (const std::string& name : names_in(folder, true)) collect_folders(folder / name, depth + 1, found);
}

// Image files of one class, relative to `root`, in ImageFolder's order. Those that cannot be decoded stay in the list,
// so that the indices agree with DomainBed's.
std::vector<std::string> images_of_class(const fs::path& root, const fs::path& class_folder) {
  std::vector<std::string> folders, paths;
  collect_folders(class_folder, 0, folders);
  std::sort(folders.begin(), folders.end());
  for (const std::string& folder : folders) {
    for (const std::string& name : names_in(folder, false)) {
      if (has_image_ending(name)) paths.push_back((fs::path(folder) / name).lexically_relative(root).generic_string());
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
    : root_(std::move(root)), hashes_(std::make_unique<FileHashes>(options.hash_memory)) {
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
  check_usable();
}

void FolderDataset::list_images(const std::set<std::string>& left_out) {
  domain_names_ = names_in(root_, true);
  check<FormatError>(!domain_names_.empty(), "{}: no domain folders; expected <domain>/<class>/<image> below it",
                     root_.string());
  std::vector<std::map<std::string, std::vector<std::string>>> paths;  // [domain][class]
  std::set<std::string> classes;
  for (const std::string& domain : domain_names_) {
    auto& of_domain = paths.emplace_back();
    for (const std::string& name : names_in(root_ / domain, true)) {
      auto images = images_of_class(root_, root_ / domain / name);
      excluded_ += static_cast<std::int64_t>(
          std::erase_if(images, [&](const std::string& path) { return left_out.contains(path); }));
      if (!images.empty()) of_domain[name] = std::move(images);
      classes.insert(name);
    }
  }
  class_names_.assign(classes.begin(), classes.end());
  samples_.resize(domain_names_.size());
  for (std::size_t d = 0; d < domain_names_.size(); ++d) {
    for (std::size_t c = 0; c < class_names_.size(); ++c) {
      for (std::string& path : paths[d][class_names_[c]]) {
        samples_[d].push_back({std::move(path), static_cast<std::int64_t>(c), static_cast<std::int64_t>(d)});
      }
    }
  }
}

void FolderDataset::check_usable() {
  check<FormatError>(
      class_names_.size() >= 2,
      "{}: {} class folder(s) ({}); classification needs at least two classes, in folders <domain>/<class>/<image>: "
      "is this one domain of a set, or the folder above it?",
      root_.string(), class_names_.size(), fmt::join(class_names_, ", "));
  for (std::size_t d = 0; d < samples_.size(); ++d) {
    check<FormatError>(!samples_[d].empty(),
                       "{}: domain '{}' has no images; expected <class>/<image> (JPEG, PNG or WebP) below it",
                       root_.string(), domain_names_[d]);
    std::vector<bool> present(class_names_.size());
    for (const SampleInfo& sample : samples_[d]) present[static_cast<std::size_t>(sample.label)] = true;
    for (std::size_t c = 0; c < present.size(); ++c) {
      if (present[c]) continue;
      remarks_.push_back(fmt::format("domain '{}' has no image of class '{}'", domain_names_[d], class_names_[c]));
      log_warning("{}: {}", root_.string(), remarks_.back());
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

Image FolderDataset::image(std::int64_t domain, std::int64_t index) const { return read_image(path_of(domain, index)); }

std::string FolderDataset::file_hash(std::int64_t domain, std::int64_t index) const {
  return hashes_->sha256(path_of(domain, index));
}

}  // namespace domainfusion
