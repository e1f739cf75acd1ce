#pragma once
// A trained model as a TorchScript program, which Python, C++ and mobile runtimes load without this project.

#include <string>

#include "domainfusion/evaluation/models/trained_model.h"

namespace domainfusion {

// The bytes of a TorchScript archive. Its module has
//   forward(image) -> logits_NK of image [N, 3, H, W], uint8 or floating point in [0, 1], any N, H and W;
//   preprocess(image) -> what the network sees: bilinear, antialiased resizing to S x S (8-bit images are rounded to 8
//   bits
//     behind it, as PIL does; only images of another size than S x S), then normalisation;
//   the attributes class_names: List[str] and image_size_px: int (S).
// The network is recorded from the classifier's own forward, its parameters carry the classifier's names below
// "network". Error if the program, read back from its bytes, does not give the classifier's own logits for batches of
// several sizes.
std::string torchscript_of(TrainedModel& model);

}  // namespace domainfusion
