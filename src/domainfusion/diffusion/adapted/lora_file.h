#pragma once
// Low-rank additions to a model's weights (LoRA, Hu et al. 2021), in the namings under which they are published.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

// What one file adds to one weight: scale * alpha / rank * up @ down; with `mid` (LoCon's Tucker form), of which down
// and up are the 1x1 ends, sum over p, q of up[o, p] mid[p, q, h, w] down[q, i]. In the file's dtype.
struct LowRank {
  at::Tensor down;   // [rank, in] or [rank, in, kh, kw]
  at::Tensor up;     // [out, rank] or [out, rank, 1, 1]
  at::Tensor mid;    // [rank, rank, kh, kw], or undefined
  double alpha = 0;  // 0: the rank

  // float32 of `shape`, the weight's. ShapeError, FormatError (values that are not finite), both without a subject.
  at::Tensor delta(at::IntArrayRef shape) const;
};

// The names of a model's weights, by which those of a LoRA find theirs.
struct LoraTargets {
  std::map<LdmPart, std::vector<std::string>> names;  // "….weight", as in its state dict
  std::int64_t unet_layers = 2;                       // residual blocks a level, by which CompVis counts
};

// All additions of a file by the weight they belong to. Namings: kohya's (lora_unet_…, lora_te_…, lora_te1_…,
// lora_te2_…, over diffusers' or CompVis' module names), diffusers' (unet.….lora.down, ….processor.to_q_lora.down,
// text_encoder.….lora_linear_layer.down) and peft's (….lora_A, ….lora_B, also below base_model.model., whose
// adapter_config.json may lie beside the file). FormatError that lists the names which fit no weight, and those of
// other methods (LoHa, LoKr, DoRA); IoError.
std::map<LdmPart, std::map<std::string, LowRank>> read_lora(const std::filesystem::path& path,
                                                            const LoraTargets& targets);

// The name of a U-Net's weight in CompVis' layout ("down_blocks.1.attentions.0.proj_in.weight" ->
// "input_blocks.4.1.proj_in.weight"); empty for one that has none.
std::string compvis_unet_name(const std::string& name, std::int64_t layers);

}  // namespace domainfusion
