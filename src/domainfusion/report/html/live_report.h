#pragma once
// The page of a run that is being trained, written again and again.

#include <chrono>
#include <filesystem>

#include "domainfusion/training/records/record_sink.h"

namespace domainfusion {

// Writes RUN/report.html, from the run's records, when it starts or resumes, after its validations, and at its end.
// Each page takes the place of the one before in one step, whoever is reading that, on a network's disk too; until the
// last one it reloads itself. Pages take at most a tenth of the time between them: validations that come faster are in
// the next one. A page that cannot be written is warned of once, and never stops a run.
class LiveReport : public RecordSink {
 public:
  // run: the run folder. total_tests: how many test records end the run (two with an averaged model).
  LiveReport(std::filesystem::path run, int total_tests);

  void rewind(std::int64_t step) override;
  void write(const nlohmann::json& record) override;

 private:
  void write_page(bool live);

  std::filesystem::path run_;
  int tests_left_, total_tests_;
  std::chrono::steady_clock::time_point next_{};
  bool failed_ = false;
};

}  // namespace domainfusion
