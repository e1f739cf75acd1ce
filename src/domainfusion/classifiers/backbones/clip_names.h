#pragma once
// The names under which CLIP's image encoder is published.

#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

// Brings CLIP weights under the names of OpenAI's image encoder ("visual.…"): transformers' CLIPModel and
// CLIPVisionModel
// ("vision_model.…", "visual_projection.weight") are renamed, their queries, keys and values joined; OpenAI's text
// encoder and the other values of the whole model are dropped. Everything else stays.
void take_openai_names(TensorMap& weights);

}  // namespace domainfusion
