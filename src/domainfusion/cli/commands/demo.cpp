// domainfusion demo: the whole method on the embedded set, against ERM and against ERM with as many images a step, with
// pictures; its parts one by one with --ablation.
#include <cctype>
#include <chrono>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/project_files.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/procedural/procedural_objects.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/metrics/paired_test.h"
#include "domainfusion/report/procedural_sheet.h"
#include "domainfusion/report/round_pictures.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTarget = "sketch";

struct DemoArguments {
  std::string out = "domainfusion-demo", ldm;
  std::int64_t seeds = 3;
  bool ablation = false;
  std::vector<std::string> overrides;
};

struct System {
  std::string name;
  bool uses_ldm = false;
  std::vector<std::pair<std::string, nlohmann::json>> options{};  // beside those of demo_erm or demo_domainfusion.toml
};

const char* const kPartner = "erm_doubled";  // sees as many images a step as DomainFusion: the fair partner

const std::vector<System>& systems_of_demo() {
  static const std::vector<System> systems = {
      {"erm"}, {kPartner, false, {{"erm.batch_multiplier", 2}}}, {"domainfusion", true}};
  return systems;
}

const std::vector<System>& systems_of_ablation() {
  static const auto systems = [] {
    using Options = decltype(System::options);
    const auto beside = [](Options options, std::pair<std::string, nlohmann::json> one) {
      options.push_back(std::move(one));
      return options;
    };
    const Options rounds{{"domainfusion.latent_distillation", "off"}};
    const Options distillation{{"domainfusion.latent_distillation", "on"}, {"domainfusion.online_augmentation", false}};
    return std::vector<System>{
        {"rounds, source words", true, beside(rounds, {"augmentation.styles", nlohmann::json::array()})},
        {"rounds, styles", true, rounds},
        {"… combine = none", true, beside(rounds, {"augmentation.combine", "none"})},
        {"… combine = mixstyle", true, beside(rounds, {"augmentation.combine", "mixstyle"})},
        {"distillation", true, distillation},
        {"… batch mean of g", true, beside(distillation, {"distillation.control", "batch_mean"})},
        {"… g shuffled", true, beside(distillation, {"distillation.control", "shuffled"})}};
  }();
  return systems;
}

struct Part {
  std::string name;
  double seconds = 0;
};

fs::path embedded_ldm() {
  return with_context(
      "no --ldm is given and the embedded model is not there; remedy: train one with `domainfusion demo-data` "
      "and `domainfusion pretrain` (README, \"Your own images\") and name it with --ldm",
      [] { return project_file("assets/demo_ldm"); });
}

// "… g shuffled" -> "g_shuffled".
std::string folder_name(const std::string& system) {
  std::string name;
  for (const char c : system) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  return name;
}

class Demo {
 public:
  explicit Demo(const DemoArguments& arguments)
      : arguments_(arguments),
        out_(arguments.out),
        ldm_(arguments.ldm.empty() ? embedded_ldm() : located_weights(arguments.ldm)) {}

  // False if it was stopped.
  bool run();

 private:
  template <class Action>
  auto timed(std::string name, Action action);
  void make_data();
  bool train(const System& system, std::int64_t seed);
  bool train_all(const std::vector<System>& systems);
  fs::path run_folder(const std::string& system, std::int64_t seed) const {
    return out_ / fmt::format("{}-seed{}", folder_name(system), seed);
  }
  void print_table(const std::vector<System>& systems) const;
  void print_gain(const std::string& over) const;
  void print_budget() const;
  void write_pictures() const;
  void print_times() const;

  const DemoArguments& arguments_;
  fs::path out_, ldm_;
  std::vector<Part> parts_;
};

template <class Action>
auto Demo::timed(std::string name, Action action) {
  const auto start = std::chrono::steady_clock::now();
  auto result = action();
  parts_.push_back({std::move(name), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()});
  return result;
}

void Demo::make_data() {
  const fs::path complete = out_ / "data" / ".complete";
  if (fs::exists(complete)) return;
  const std::int64_t images = write_procedural_objects(out_ / "data", {});
  write_file_atomically(complete, "");
  log_info("{} images in {}", images, (out_ / "data").string());
}

// Runs of one seed share what the LDM makes, where they ask for the same.
bool Demo::train(const System& system, std::int64_t seed) {
  std::vector<std::pair<std::string, nlohmann::json>> options{
      {"data.root", (out_ / "data").string()}, {"test_domain", kTarget}, {"seed", seed}};
  if (system.uses_ldm) {
    options.emplace_back("ldm", ldm_.string());
    options.emplace_back("candidates", (out_ / "candidates").string());
    options.emplace_back("distillation.curve.folder", (out_ / "curves").string());
    options.emplace_back("domainfusion.fidelity_weights", (run_folder("erm", seed) / "best.safetensors").string());
  }
  options.insert(options.end(), system.options.begin(), system.options.end());
  const char* recipe = system.uses_ldm ? "recipes/demo_domainfusion.toml" : "recipes/demo_erm.toml";
  RunSetup setup = make_run_setup(project_file(recipe), arguments_.overrides, options);
  auto dataset = open_dataset(setup.config.data);
  Trainer trainer(std::move(setup), std::move(dataset),
                  {.run_folder = run_folder(system.name, seed), .mode = RunMode::kResume});
  return trainer.run().has_value();
}

bool Demo::train_all(const std::vector<System>& systems) {
  for (std::int64_t seed = 0; seed < arguments_.seeds; ++seed) {
    for (const System& system : systems) {
      if (!timed(fmt::format("{}, seed {}", system.name, seed), [&] { return train(system, seed); })) return false;
    }
  }
  return true;
}

void Demo::print_table(const std::vector<System>& systems) const {
  ResultTable target, validation("source validation, %");
  for (const System& system : systems) {
    for (std::int64_t seed = 0; seed < arguments_.seeds; ++seed) {
      const RunResult result = read_run(run_folder(system.name, seed));
      target.add(system.name, kTarget, result.test->accuracy);
      validation.add(system.name, fmt::format("{} held out", kTarget),
                     select_by_source_validation(result.validations)->mean_accuracy);
    }
  }
  fmt::print("\naccuracy in %, mean ± standard error over {} seeds; '{}' was never seen in training\n{}\n{}",
             arguments_.seeds, kTarget, target.text(), validation.text());
}

// Seeds are the pairs: both runs of one share start values and the order of raw images.
void Demo::print_gain(const std::string& over) const {
  std::vector<double> a, b;
  for (std::int64_t seed = 0; seed < arguments_.seeds; ++seed) {
    a.push_back(100 * read_run(run_folder(over, seed)).test->accuracy);
    b.push_back(100 * read_run(run_folder("domainfusion", seed)).test->accuracy);
  }
  const PairedTest test = paired_test(a, b);
  fmt::print("domainfusion - {}: {:+.1f}", over, test.mean_difference);
  if (a.size() > 1) fmt::print(" ± {:.1f}", test.standard_error);
  if (test.p) fmt::print(", paired t-test over {} seeds: p = {:.2g}", a.size(), *test.p);
  fmt::print("\n");
}

void Demo::print_budget() const {
  nlohmann::json last;
  for (const nlohmann::json& record : read_json_lines(run_folder("domainfusion", 0) / "records.jsonl")) {
    if (record.value("type", "") == "round") last = record;
  }
  if (last.is_null()) return;
  const auto made = last.at("generated_so_far").get<std::int64_t>(), cdga = last.at("cdga").get<std::int64_t>();
  fmt::print("\nimages generated in a run: {}; CDGA would generate {} ({:.1f} %)\n", made, cdga,
             100.0 * static_cast<double>(made) / static_cast<double>(cdga));
}

void Demo::write_pictures() const {
  write_png(out_ / "pictures" / "demo_set.png", procedural_sheet());
  write_png(out_ / "pictures" / "demo_styles.png", procedural_sheet(0, 1, 0, 2, true));
  fmt::print("\npictures: {}\n", (out_ / "pictures" / "demo_set.png").string());
  for (const fs::path& file : write_round_pictures(run_folder("domainfusion", 0) / "synthetic", out_ / "pictures")) {
    fmt::print("          {}\n", file.string());
  }
}

void Demo::print_times() const {
  fmt::print("\ntime\n");
  double total = 0;
  for (const Part& part : parts_) {
    fmt::print("  {:<24} {:>8}\n", part.name, format_seconds(part.seconds));
    total += part.seconds;
  }
  fmt::print("  {:<24} {:>8}\n", "together", format_seconds(total));
}

bool Demo::run() {
  fs::create_directories(out_ / "pictures");
  timed("data", [&] {
    make_data();
    return true;
  });
  if (!train_all(systems_of_demo())) return false;
  if (arguments_.ablation && !train_all(systems_of_ablation())) return false;
  print_table(systems_of_demo());
  fmt::print("\n");
  print_gain(kPartner);
  print_gain("erm");
  if (arguments_.ablation) print_table(systems_of_ablation());
  print_budget();
  write_pictures();
  print_times();
  return true;
}

}  // namespace

void add_demo_command(Command& app) {
  Command command = app.add("demo", "make the embedded set, train ERM and DomainFusion on it, compare, show pictures");
  auto arguments = std::make_shared<DemoArguments>();
  command.option("--out", arguments->out, "folder for data, runs and pictures; finished runs are kept").default_shown();
  command.option("--ldm", arguments->ldm, "another compact LDM than assets/demo_ldm");
  command.option("--seeds", arguments->seeds, "runs of each system").within(1, 100).default_shown();
  command.flag("--ablation", arguments->ablation,
               "also the method's parts: rounds with other words and fusions, distillation and its controls");
  command.option("--set", arguments->overrides, "one option of all runs, key=value; may be given often");
  command.run([arguments] {
    if (Demo(*arguments).run()) return;
    log_info("stopped; the same command continues");
    throw Interrupted();
  });
}

}  // namespace domainfusion
