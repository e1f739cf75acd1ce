// domainfusion inspect weights: what lies in files of weights.
#include <filesystem>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/weights/compvis_file.h"
#include "domainfusion/diffusion/weights/weights_kind.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

std::string readable_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  const char* unit = "KiB";
  for (const char* larger : {"MiB", "GiB", "TiB"}) {
    if (size < 1024) break;
    size /= 1024;
    unit = larger;
  }
  return fmt::format("{:.1f} {}", size, unit);
}

std::string shape_text(const StoredTensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.shape, ", ")); }

std::string layout_text(const StoredTensor& tensor) {
  if (tensor.strides.empty()) return "";
  return byte_count(tensor) > tensor.bytes.size()
             ? fmt::format(", expanded from {}", readable_size(tensor.bytes.size()))
             : ", strided";
}

void print_tensors(const WeightsFile& file) {
  std::size_t name_width = 0, type_width = 4, shape_width = 0;
  for (const StoredTensor& tensor : file.tensors()) {
    name_width = std::max(name_width, tensor.name.size());
    type_width = std::max(type_width, type_name(tensor).size());
    shape_width = std::max(shape_width, shape_text(tensor).size());
  }
  name_width = std::min<std::size_t>(name_width, 100);
  for (const StoredTensor& tensor : file.tensors()) {
    fmt::print("  {:<{}}  {:<{}}  {:<{}}  {}{}\n", tensor.name, name_width, type_name(tensor), type_width,
               shape_text(tensor), shape_width, readable_size(byte_count(tensor)), layout_text(tensor));
  }
}

void print_file(const fs::path& path) {
  const WeightsFile file = WeightsFile::open(path);
  std::uint64_t elements = 0;
  for (const StoredTensor& tensor : file.tensors()) elements += element_count(tensor);
  fmt::print("{}: {}\n", path.string(), kind_of_weights(shapes_of(file)));
  fmt::print("  {}, {}, {} tensors, {} elements\n", file.format(), readable_size(file.file_bytes()),
             file.tensors().size(), elements);
  print_tensors(file);
  for (const std::string& remark : file.remarks()) fmt::print("  remark: {}\n", remark);
  for (const auto& [key, value] : file.metadata())
    fmt::print("  metadata {}: {}\n", readable_text(key), readable_text(value));
}

// The folder and those below it that hold weights.
std::vector<fs::path> weights_below(const fs::path& folder) {
  std::vector<fs::path> files = weights_files_in(folder);
  std::vector<fs::path> folders;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& below : folders) {
    const auto more = weights_files_in(below);
    files.insert(files.end(), more.begin(), more.end());
  }
  return files;
}

void inspect_weights(const fs::path& name) {
  const fs::path path = located_weights(name);
  if (!fs::is_directory(path)) return print_file(path);
  const auto holds_weights = [](const fs::path& snapshot) { return !weights_below(snapshot).empty(); };
  const fs::path folder = is_hub_cache(path) ? hub_snapshot(path, holds_weights) : path;
  const auto files = weights_below(folder);
  check<IoError>(!files.empty(), "'{}' holds no weights (*.safetensors, *.pth, *.pt, *.ckpt, *.bin, *.index.json)",
                 path.string());
  for (const fs::path& file : files) print_file(file);
}

}  // namespace

void add_inspect_weights_command(Command& inspect) {
  Command command =
      inspect.add("weights", "list the tensors of weights: safetensors, PyTorch checkpoints, folders of them");
  auto path = std::make_shared<std::string>();
  command.option("path", *path, "file, folder, or name of fetched weights").required();
  command.run([path] { inspect_weights(*path); });
}

}  // namespace domainfusion
