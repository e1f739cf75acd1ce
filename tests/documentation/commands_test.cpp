// Every command that README and guides show works. Blocks of the language `sh` are shell scripts that are run in the
// order of the document, on a tiny set; what needs a GPU, the network, published weights or hours stands below the line
// kParseMark and is read by the program's own command line, on absent input. In both, files of programs/ stand for the
// programs that are named.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <set>

#include "documentation/documents.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

const fs::path kPrograms = fs::path(DOMAINFUSION_TEST_DIR) / "documentation/programs";

std::string read_text(const fs::path& path) {
  std::stringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

// A copy of the project in which commands find what they name: recipes and models are the real ones, scripts are stood
// for.
void lay_out(const fs::path& folder) {
  fs::create_directories(folder);
  for (const char* name : {"assets", "recipes"}) fs::create_directory_symlink(project_root() / name, folder / name);
  for (const char* name : {"scripts", "benchmarks"}) {
    fs::create_directory(folder / name);
    for (const auto& file : fs::directory_iterator(project_root() / name)) {
      const bool runs = (file.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
      if (runs) fs::create_symlink(kPrograms / "script", folder / name / file.path().filename());
    }
  }
}

// Folders in which the commands of a document are run and parsed.
class Workplace {
 public:
  Workplace() {
    lay_out(folder_ / "run");
    lay_out(folder_ / "parse");
  }
  // With the set and the runs that README's commands have made.
  explicit Workplace(const Workplace& readme) {
    fs::copy(readme.folder_.path(), folder_.path(), fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }

  // Empty if every block does what it should, else what went wrong with the first that does not.
  std::string run(const Document& document) const {
    for (const DocumentBlock& block : document.blocks) {
      if (block.language == "sh" && !run(block))
        return document.path.string() + ":" + std::to_string(block.line) + ":\n" + block.text +
               read_text(folder_ / "said");
    }
    return {};
  }

 private:
  bool run(const DocumentBlock& block) const {
    const std::string mode = block.parsed_only ? "parse" : "run";
    std::ofstream(folder_ / "block") << block.text;
    const std::string line = "cd '" + (folder_ / mode).string() + "' && PATH='" + kPrograms.string() +
                             "':$PATH D=" + (block.parsed_only ? "/absent" : "set") + " XDG_CACHE_HOME='" +
                             (folder_ / "cache").string() + "' DOCUMENTATION_MODE=" + mode +
                             " DOCUMENTATION_PROGRAM='" DOMAINFUSION_BINARY "' DOCUMENTATION_ROOT='" DOMAINFUSION_ROOT
                             "' DOCUMENTATION_CMAKE='" DOMAINFUSION_CMAKE
                             "' bash -eu -o pipefail ../block >../said 2>&1";
    return std::system(line.c_str()) == 0;
  }

  TemporaryFolder folder_;
};

class Commands : public testing::TestWithParam<fs::path> {
 protected:
  static void SetUpTestSuite() {
    readme_ = std::make_unique<Workplace>();
    readme_fault_ = readme_->run(read_document(project_root() / "README.md"));
  }
  static void TearDownTestSuite() { readme_.reset(); }

  static std::unique_ptr<Workplace> readme_;
  static std::string readme_fault_;
};
std::unique_ptr<Workplace> Commands::readme_;
std::string Commands::readme_fault_;

std::string test_name(const testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

TEST_P(Commands, DoWhatTheDocumentSays) {
  ASSERT_EQ(readme_fault_, "");
  if (GetParam().filename() == "README.md") return;
  EXPECT_EQ(Workplace(*readme_).run(read_document(GetParam())), "");
}
INSTANTIATE_TEST_SUITE_P(Of, Commands, testing::ValuesIn(documents_with_commands()), test_name);

TEST(CommandBlocks, SayTheirLanguageSoThatNoneIsPassedOver) {
  const std::set<std::string> known{"sh", "text", "json", "toml", "python", "mermaid"};
  for (const fs::path& path : documents_with_commands()) {
    for (const DocumentBlock& block : read_document(path).blocks) {
      EXPECT_TRUE(known.contains(block.language)) << path << ":" << block.line << ": '" << block.language << "'";
      if (block.language == "sh") continue;
      for (const char* command : {"domainfusion ", "scripts/", "benchmarks/"})
        EXPECT_NE(block.text.find(command), 0u) << path << ":" << block.line << ": a command in a block that is not sh";
    }
  }
}

// The stand-ins are what makes the test above worth something.
TEST(StandIns, RefuseWhatIsNotThere) {
  const Workplace workplace;
  const auto fault = [&](const std::string& text, bool parsed_only) {
    Document document;
    document.blocks.push_back({"sh", text + "\n", parsed_only, 1});
    return workplace.run(document);
  };
  EXPECT_EQ(fault("domainfusion train --data $D --test-domain sketch --set optimizer.lr=1 --out r", true), "");
  for (const char* wrong : {"domainfusion trian --data $D", "domainfusion train --data $D --tset-domain sketch --out r",
                            "domainfusion train --data $D --set optimzer.lr=1 --out r",
                            "domainfusion train --data $D --recipe recipes/none.toml --dry-run && false",
                            "domainfusion data ls", "cmake --preset fast", "scripts/none", "nothing"}) {
    EXPECT_NE(fault(wrong, true), "") << wrong;
  }
  EXPECT_NE(fault("domainfusion train --data nowhere --test-domain sketch --out r", false), "");
}

}  // namespace domainfusion
