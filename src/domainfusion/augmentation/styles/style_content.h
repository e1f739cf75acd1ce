#pragma once
// Splits images into style and content, compares them, and puts the style of one together with the content of another
// (method section 3, steps 2 to 4; the split of MODE-F and MODE-A).
//
// A decomposition is a set of pure functions of tensors. A new one is one header, one source, one registry line.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/core/registry.h"

namespace domainfusion {

// Style and content of N images; the first dimension of both tensors is N, the others belong to the decomposition.
struct StyleContent {
  at::Tensor style;
  at::Tensor content;

  std::int64_t count() const { return style.size(0); }
  // Image `index` alone, as a view with N = 1.
  StyleContent at(std::int64_t index) const { return {style.narrow(0, index, 1), content.narrow(0, index, 1)}; }
};

enum class SimilarityForm { kCosine, kL2 };

struct DecompositionConfig {
  double mix = 1;  // share of the new style in the combined image, [0, 1]
  double window =
      0;  // fourier: half side of the exchanged low-frequency square as a share of min(H, W); 0: all frequencies
  // fourier: half side, in frequencies, of the squares whose mean amplitudes are exchanged; 0: single amplitudes.
  std::int64_t envelope = 0;

  void describe(ConfigFields& fields) {
    fields.real("mix", mix, {0, 1}, "share of the chosen style in the new image; the rest is the style of x");
    fields.real("window", window, {0, 0.5},
                "fourier: exchange only amplitudes in the low-frequency square of side 2 floor(min(H, W) window) + 1; "
                "0: all of them");
    fields.integer(
        "envelope", envelope, {0, 64},
        "fourier: exchange amplitudes as their means over squares of side 2 envelope + 1 frequencies, so that "
        "content keeps its own fine spectrum, without which candidates of different shape give noise; 0: "
        "single amplitudes (the paper); ours");
  }
};

class Decomposition {
 public:
  // What is taken apart: pixels in [0, 1], or the scaled latents of the LDM's VAE.
  enum class Space { kPixels, kLatents };

  virtual ~Decomposition() = default;
  virtual Space space() const = 0;

  // values_NCHW: float32 or float64, in space(). The results keep its dtype and alias nothing.
  // Throws ShapeError unless it is a non-empty floating 4-d tensor.
  virtual StyleContent decompose(const at::Tensor& values_NCHW) const = 0;

  // [N]: how near the styles (contents) of `candidates` are to that of x (N = 1); greater is nearer, 1 is equal for the
  // cosine form, 0 is equal for the l2 form (a negated distance). Throws ShapeError if the shapes of x and candidates
  // differ.
  virtual at::Tensor style_similarity(const StyleContent& x, const StyleContent& candidates,
                                      SimilarityForm form) const = 0;
  virtual at::Tensor content_similarity(const StyleContent& x, const StyleContent& candidates,
                                        SimilarityForm form) const = 0;

  // Values (all arguments N = 1, result [1, C, H, W]) with the content of `content` and the style
  // (1 - mix) x + mix style. Pixels come clamped to [0, 1].
  virtual at::Tensor fused(const StyleContent& x, const StyleContent& style, const StyleContent& content) const = 0;
};

// "fourier" and "adain".
const Registry<Decomposition, DecompositionConfig>& decompositions();

}  // namespace domainfusion
