#pragma once
// A run of a few steps on the toy set with a tiny network.

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/training/run/trainer.h"
#include "test_device.h"
#include "tiny_models.h"
#include "training/toy_dataset.h"

namespace domainfusion {

// The folder of a finished run of ERM on the toy set, made when it is first asked for and kept to the end.
inline std::string toy_judge();

// What an algorithm needs beyond the run's own options to work on the toy set.
inline std::vector<std::string> needs_of(const std::string& algorithm) {
  const std::string ldm = "ldm=" + kTinySd15.string();
  if (algorithm == "mode_a") return {ldm, "mode.move_steps=2"};
  if (algorithm == "cdga") return {ldm, "cdga.steps=2"};
  if (algorithm == "fds")
    return {ldm, "fds.steps=2", "fds.images_per_class=6", "fds.kept_per_class=2", "fds.judge=" + toy_judge()};
  if (algorithm == "irm") return {"irm.irm_penalty_anneal_iters=5"};
  if (algorithm == "vrex") return {"vrex.vrex_penalty_anneal_iters=5"};
  if (algorithm == "ib_erm") return {"ib_erm.ib_penalty_anneal_iters=5"};
  if (algorithm == "ib_irm") return {"ib_irm.ib_penalty_anneal_iters=5", "ib_irm.irm_penalty_anneal_iters=4"};
  if (algorithm == "eqrm") return {"eqrm.eqrm_burnin_iters=5"};
  if (algorithm == "rdm") return {"rdm.rdm_penalty_anneal_iters=5"};
  if (algorithm == "fishr") return {"fishr.penalty_anneal_iters=5"};
  if (algorithm == "trm") return {"trm.iters=3"};
  if (algorithm == "mldg") return {"mldg.n_meta_test=1"};
  if (algorithm == "erm_plus_plus") return {"erm_plus_plus.linear_steps=3"};
  if (algorithm == "dann" || algorithm == "cdann") return {algorithm + ".mlp_width=8", algorithm + ".mlp_dropout=0.1"};
  if (algorithm == "adrmx") return {"adrmx.mlp_width=8", "adrmx.mlp_depth=3"};
  if (algorithm == "arm") return {"optimizer.lr=0.001"};
  if (algorithm != "domainfusion") return {};
  return {ldm,
          "domainfusion.latent_distillation=on",
          "distillation.encoder=exact",
          "augmentation.every_epochs=1",
          "augmentation.budget_share=0",
          "augmentation.images_per_round=3",
          "augmentation.candidates=2",
          "augmentation.steps=2"};
}

inline RunSetup toy_setup(const std::string& algorithm, std::vector<std::string> overrides = {}) {
  std::vector<std::string> all{"algorithm=" + algorithm,       "test_domain=red",
                               "device=" + test_device_name(), "loader.batch_size=4",
                               "loader.image_size_px=16",      "loader.workers=2",
                               "classifier.stem=small",        "classifier.width=4",
                               "classifier.dropout=0.2",       "steps=9",
                               "checkpoint_frequency=4",       "optimizer.lr=0.003",
                               "optimizer.decay=linear",       "optimizer.weight_decay=1e-4"};
  for (const auto& more : {needs_of(algorithm), overrides}) all.insert(all.end(), more.begin(), more.end());
  return make_run_setup({}, all, {});
}

inline std::optional<TestRecord> toy_run(const std::string& algorithm, const std::filesystem::path& folder,
                                         std::shared_ptr<ToyDataset> dataset, RunMode mode = RunMode::kNew,
                                         std::vector<std::string> overrides = {}) {
  Trainer trainer(toy_setup(algorithm, std::move(overrides)), std::move(dataset), {.run_folder = folder, .mode = mode});
  return trainer.run();
}

inline std::string toy_judge() {
  static const TemporaryFolder folder;
  static const bool trained = [] {
    bool done = false;
    // In a thread of its own, which belongs to no ranks.
    std::thread([&] { done = toy_run("erm", folder / "judge", std::make_shared<ToyDataset>()).has_value(); }).join();
    return done;
  }();
  EXPECT_TRUE(trained);
  return folder / "judge";
}

// A set whose `reads`th image, counted over all threads, comes with a SIGTERM.
inline std::shared_ptr<ToyDataset> stopped_at_read(int reads) {
  auto set = std::make_shared<ToyDataset>();
  auto left = std::make_shared<std::atomic<int>>(reads);
  set->on_read = [left](std::int64_t) {
    if (--*left == 0) kill(getpid(), SIGTERM);
  };
  return set;
}

// The records without figures of time.
inline std::vector<nlohmann::json> timeless_records(const std::filesystem::path& run) {
  auto lines = read_json_lines(run / "records.jsonl");
  for (auto& line : lines) {
    for (auto field = line.begin(); field != line.end();) {
      field = field.key().find("seconds") != std::string::npos ? line.erase(field) : std::next(field);
    }
  }
  return lines;
}

inline void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b,
                            std::vector<std::string> files = {"checkpoint.safetensors", "best.safetensors"}) {
  for (const std::string& file : files) EXPECT_TRUE(read_file(a / file) == read_file(b / file)) << file;
  EXPECT_EQ(timeless_records(a), timeless_records(b));
}

}  // namespace domainfusion
