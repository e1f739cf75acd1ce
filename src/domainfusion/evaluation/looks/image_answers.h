#pragma once
// What a trained model answers to each image, one by one.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/evaluation/models/trained_model.h"

namespace domainfusion {

struct ImageAnswer {
  std::int64_t domain = 0, index = 0;  // in the set
  std::string path;                    // "<domain>/<class>/<file>"
  std::int64_t label = 0, answer = 0;
  double probability = 0;      // of the answer, [0, 1]
  double own_probability = 0;  // of the label
  double loss = 0;             // cross-entropy
};

struct DomainAnswers {
  std::string domain;
  bool held_out = false;
  std::int64_t images = 0;           // of the split, of which `answers` are all or a draw
  std::vector<ImageAnswer> answers;  // by index
  at::Tensor feature_NF;             // float32, what the head saw of them
};

// Answers on the OUT images of the run's source domains and, where `with_held_out`, on the IN images of its held-out
// ones, as the run validated and tested; these first. Of more than `most` images of a domain that many are drawn
// (stream "looks", of seed 0 and the domain). A domain whose split has none is left out.
std::vector<DomainAnswers> image_answers(TrainedModel& model, const DomainDataset& dataset, bool with_held_out,
                                         std::int64_t most);

}  // namespace domainfusion
