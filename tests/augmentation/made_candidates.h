#pragma once
// Keys and images for tests of candidate stores.

#include "domainfusion/augmentation/candidates/candidate_key.h"
#include "domainfusion/io/images/image.h"
#include "temporary_folder.h"

namespace domainfusion {

inline CandidateKey made_key(int number) {
  return {"source" + std::to_string(number),
          "weights",
          {{"strength", 0.5}},
          "a dog, sketch",
          {{"purpose", "cdga"}, {"copy", 0}}};
}

inline Image made_image(int number) {
  Image image{8, 8, {}};
  for (int i = 0; i < 8 * 8 * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * (number + 3)));
  return image;
}

}  // namespace domainfusion
