#pragma once
// Shape checks that the decompositions share.

#include <ATen/core/Tensor.h>

#include <string_view>

#include "domainfusion/core/error.h"

namespace domainfusion {

// "4x3x8x8"
inline std::string shape_text(const at::Tensor& tensor) { return fmt::format("{}", fmt::join(tensor.sizes(), "x")); }

// ShapeError unless `values_NCHW` is a non-empty 4-d tensor of float32 or float64.
inline void check_values(const at::Tensor& values_NCHW, std::string_view subject) {
  check<ShapeError>(values_NCHW.dim() == 4 && values_NCHW.numel() > 0 && values_NCHW.is_floating_point(),
                    "{} got a tensor of shape {}, expected a non-empty floating-point tensor NxCxHxW", subject,
                    shape_text(values_NCHW));
}

inline void check_same_shape(const at::Tensor& a, const at::Tensor& b, std::string_view subject) {
  check<ShapeError>(a.sizes() == b.sizes(), "{} got shapes {} and {}, expected equal ones", subject, shape_text(a),
                    shape_text(b));
}

// ShapeError unless `x` is one item (first dimension 1) and `candidates` are items of the same shape.
inline void check_comparable(const at::Tensor& x, const at::Tensor& candidates, std::string_view subject) {
  check<ShapeError>(x.dim() > 0 && candidates.dim() == x.dim() && x.size(0) == 1 && candidates.size(0) > 0 &&
                        x.sizes().slice(1) == candidates.sizes().slice(1),
                    "{} compares one item with candidates of the same shape, got {} and {}", subject, shape_text(x),
                    shape_text(candidates));
}

}  // namespace domainfusion
