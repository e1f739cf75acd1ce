#pragma once
// What tests want to know of the project's Markdown files.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace domainfusion {

// A fenced block.
struct DocumentBlock {
  std::string language, text;
  bool parsed_only = false;  // marked by kParseMark on the line before
  int line = 0;              // of the fence, counted from 1
};

struct Document {
  std::filesystem::path path;
  int lines = 0;
  std::vector<DocumentBlock> blocks;
  std::vector<std::string> headings;
  std::string prose;  // all that is in no block
};

constexpr const char* kParseMark = "<!-- test: parse -->";

inline std::filesystem::path project_root() { return DOMAINFUSION_ROOT; }

inline Document read_document(const std::filesystem::path& path) {
  Document document;
  document.path = path;
  std::ifstream file(path);
  bool inside = false, marked = false;
  for (std::string line; std::getline(file, line);) {
    ++document.lines;
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) document.blocks.push_back({line.substr(3), "", marked, document.lines});
    } else if (inside) {
      document.blocks.back().text += line + "\n";
    } else {
      document.prose += line + "\n";
      if (line.starts_with("#")) document.headings.push_back(line.substr(line.find(' ') + 1));
    }
    marked = line == kParseMark;
  }
  return document;
}

inline std::vector<std::filesystem::path> markdown_below(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(project_root() / folder)) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Those whose commands are run: README first, on whose folders the guides build.
inline std::vector<std::filesystem::path> documents_with_commands() {
  std::vector<std::filesystem::path> files{project_root() / "README.md", project_root() / "CONTRIBUTING.md"};
  const auto guides = markdown_below("docs/guide");
  files.insert(files.end(), guides.begin(), guides.end());
  return files;
}

}  // namespace domainfusion
