// Documents lead to what is there, and name options that there are.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <regex>
#include <set>

#include "documentation/documents.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr int kDoorLines = 150;

std::vector<fs::path> all_documents() {
  std::vector<fs::path> files{project_root() / "README.md", project_root() / "CONTRIBUTING.md"};
  for (const char* folder : {"docs", "assets"}) {
    const auto below = markdown_below(folder);
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

// What follows '#' in a link to a heading, as GitHub makes it.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const auto letter = static_cast<unsigned char>(c);
    if (c == ' ')
      anchor += '-';
    else if (std::isalnum(letter) || c == '-' || c == '_' || letter >= 0x80)
      anchor += static_cast<char>(std::tolower(letter));
  }
  return anchor;
}

std::vector<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) found.push_back((*at)[1]);
  return found;
}

// Of the commands that take options by --set.
std::string help_of_options() {
  std::string text;
  const auto close = [](std::FILE* pipe) { pclose(pipe); };
  for (const char* command : {"train", "pretrain", "finetune", "dsi", "generate"}) {
    const std::string line = std::string("'" DOMAINFUSION_BINARY "' ") + command + " --help";
    const std::unique_ptr<std::FILE, decltype(close)> pipe(popen(line.c_str(), "r"), close);
    char part[4096];
    for (std::size_t read; (read = std::fread(part, 1, sizeof part, pipe.get())) > 0;) text.append(part, read);
  }
  return text;
}

std::string text_below(const std::string& folder, const std::string& extension) {
  std::stringstream text;
  for (const auto& entry : fs::recursive_directory_iterator(project_root() / folder)) {
    if (entry.path().extension() == extension) text << std::ifstream(entry.path()).rdbuf();
  }
  return text.str();
}

}  // namespace

TEST(Readme, IsADoor) {
  const Document readme = read_document(project_root() / "README.md");
  EXPECT_LE(readme.lines, kDoorLines);
  for (const fs::path& guide : markdown_below("docs/guide"))
    EXPECT_NE(readme.prose.find("](docs/guide/" + guide.filename().string() + ")"), std::string::npos) << guide;
}

TEST(Links, LeadToFilesAndHeadings) {
  int count = 0;
  for (const fs::path& path : all_documents()) {
    const Document document = read_document(path);
    for (const std::string& link : matches(document.prose, R"(\]\(([^)\s]+)\))")) {
      if (link.starts_with("http")) continue;
      ++count;
      const std::string file = link.substr(0, link.find('#'));
      const fs::path target = file.empty() ? path : path.parent_path() / file;
      ASSERT_TRUE(fs::exists(target)) << path << ": " << link;
      if (link.find('#') == std::string::npos) continue;
      std::set<std::string> anchors;
      for (const std::string& heading : read_document(target).headings) anchors.insert(anchor_of(heading));
      EXPECT_TRUE(anchors.contains(link.substr(link.find('#') + 1))) << path << ": " << link;
    }
  }
  EXPECT_GT(count, 10);
}

TEST(Options, ThatDocumentsNameAreThere) {
  const std::string command_sources = text_below("src/domainfusion/cli", ".cpp");
  std::set<std::string> groups, known;
  for (const std::string& key : matches(help_of_options(), "\n  ([a-z_]+(?:\\.[a-z_]+)+) ")) {
    known.insert(key);
    groups.insert(key.substr(0, key.find('.')));
  }
  ASSERT_GT(known.size(), 100u);
  for (const fs::path& path : documents_with_commands()) {
    for (const std::string& span : matches(read_document(path).prose, "`([^`]+)`")) {
      for (const std::string& key : matches(span, "^(?:--set )?'?([a-z_]+(?:\\.[a-z_]+)+)(?:=.*)?$")) {
        const bool is_option = groups.contains(key.substr(0, key.find('.')));
        EXPECT_TRUE(!is_option || known.contains(key)) << path << ": " << key;
      }
      for (const std::string& flag : matches(span, "^(--(?!help)[a-z][a-z-]+)"))
        EXPECT_NE(command_sources.find(flag + '"'), std::string::npos) << path << ": " << flag;
    }
  }
}

TEST(Architecture, HasALineForEveryRoomAndNamesFilesThatAreThere) {
  const std::string text = read_document(project_root() / "docs/architecture.md").prose;
  const fs::path house = project_root() / "src/domainfusion";
  for (const auto& entry : fs::recursive_directory_iterator(house)) {
    if (!entry.is_directory()) continue;
    const std::string room = entry.path().lexically_relative(house).generic_string();
    EXPECT_NE(text.find("| `" + room + "` |"), std::string::npos) << room;
  }
  for (const std::string& path : matches(text, "`([a-z0-9_]+(?:/[a-z0-9_.]+)+)`")) {
    const bool foreign = path.starts_with("torch/");
    EXPECT_TRUE(foreign || fs::exists(house / path) || fs::exists(project_root() / path)) << path;
  }
}

TEST(TestPrograms, ThatScriptsNameAreThere) {
  const std::string lists = text_below("tests", ".txt");
  std::stringstream script;
  script << std::ifstream(project_root() / "benchmarks/on_gpu").rdbuf();
  const auto names = matches(script.str(), "[^a-z]test_([a-z_]+)");
  EXPECT_GT(names.size(), 3u);
  for (const std::string& name : names) EXPECT_NE(lists.find("df_test(NAME " + name + " "), std::string::npos) << name;
}

}  // namespace domainfusion
