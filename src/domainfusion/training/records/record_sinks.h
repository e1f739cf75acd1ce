#pragma once
// Several that follow one run's records.

#include <memory>
#include <utility>
#include <vector>

#include "domainfusion/training/records/record_sink.h"

namespace domainfusion {

class RecordSinks : public RecordSink {
 public:
  void add(std::shared_ptr<RecordSink> sink) { sinks_.push_back(std::move(sink)); }
  void rewind(std::int64_t step) override {
    for (const auto& sink : sinks_) sink->rewind(step);
  }
  void write(const nlohmann::json& record) override {
    for (const auto& sink : sinks_) sink->write(record);
  }

 private:
  std::vector<std::shared_ptr<RecordSink>> sinks_;
};

}  // namespace domainfusion
