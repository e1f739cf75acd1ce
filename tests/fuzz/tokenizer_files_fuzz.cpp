// The files of a tokenizer folder: vocab.json, merges.txt, tokenizer_config.json, special_tokens_map.json and
// tokenizer.json, with a zero byte between two of them.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "fuzz/harness.h"

using namespace domainfusion;
namespace fs = std::filesystem;

// One folder per process, rewritten for every input.
static const fs::path& folder() {
  static const struct Made {
    Made() : path(fs::temp_directory_path() / ("domainfusion-fuzz-" + std::to_string(::getpid()))) {
      fs::create_directories(path);
    }
    ~Made() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
    fs::path path;
  } made;
  return made.path;
}

static void load(std::string_view files) {
  for (const char* name :
       {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"}) {
    const std::string_view content = files.substr(0, files.find('\0'));
    files.remove_prefix(std::min(content.size() + 1, files.size()));
    fs::remove(folder() / name);
    if (!content.empty()) std::ofstream(folder() / name, std::ios::binary) << content;
  }
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder());
  tokenizer.encode("A photo of 2 dogs' <|endoftext|>");
  tokenizer.cut_text("A photo of 2 dogs' <|endoftext|>");
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] { load(text_of(data, size)); });
}
