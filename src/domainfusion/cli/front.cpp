// The program that people start. libtorch and the 280 libraries behind it take half a second to load, and help and the
// version need nothing of them: this program answers these itself, from what the whole one has written down of itself
// (`domainfusion manual --help-texts`), and becomes the whole one for all else.
//
//   <prefix>/bin/domainfusion                       this program; in a build, <prefix>/domainfusion
//   <prefix>/libexec/domainfusion/domainfusion      the whole one
//   <prefix>/share/domainfusion/help/bench-ldm.txt  what `domainfusion bench ldm --help` says

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace {

namespace fs = std::filesystem;

constexpr int kInput = 3;  // ExitCode::kInput: a file cannot be read or written

int fail(const std::string& message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return kInput;
}

fs::path whole_program(const fs::path& prefix) { return prefix / "libexec/domainfusion/domainfusion"; }

fs::path prefix_of_program() {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  return fs::exists(whole_program(folder), error) ? folder : folder.parent_path();
}

std::optional<std::string> text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

// What a line of command names that ends with --help asks for; nothing where the whole program has to look at it.
std::optional<std::string> help_for(int argc, char** argv, const fs::path& texts) {
  const std::string_view last = argv[argc - 1];
  if (last != "--help" && last != "-h") return std::nullopt;
  std::string name;
  for (int i = 1; i < argc - 1; ++i) {
    const std::string_view word = argv[i];
    if (word.empty() || word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_-") != word.npos || word.front() == '-')
      return std::nullopt;
    name += (name.empty() ? "" : "-") + std::string(word);
  }
  return text_of(texts / ((name.empty() ? "domainfusion" : name) + ".txt"));
}

std::optional<std::string> quick_answer(int argc, char** argv, const fs::path& prefix) {
  if (argc < 2) return std::nullopt;
  if (argc == 2 && std::string_view(argv[1]) == "--version") return DOMAINFUSION_VERSION "\n";
  return help_for(argc, argv, prefix / "share/domainfusion/help");
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const fs::path prefix = prefix_of_program();
  if (const auto answer = quick_answer(argc, argv, prefix)) {
    const bool whole = std::fwrite(answer->data(), 1, answer->size(), stdout) == answer->size();
    if (whole && std::fflush(stdout) == 0) return 0;
    return fail("standard output cannot be written: is the disk full, or its reader gone?");
  }
  const std::string program = whole_program(prefix).string();
  execv(program.c_str(), argv);
  return fail("'" + program + "' cannot be started: " + std::strerror(errno) + "; install or build domainfusion again");
}
