#pragma once
// The nominal cost of a forward pass: one multiply-add of a matrix product or convolution counts as 2 operations, all
// else as 0, whatever the layer does to get by with less.

namespace domainfusion {

// Counts while it lives, in all threads; one at a time.
class OperationCount {
 public:
  OperationCount();
  ~OperationCount();
  OperationCount(const OperationCount&) = delete;
  OperationCount& operator=(const OperationCount&) = delete;
  double operations() const;
};

// Called by the layers.
void count_multiply_adds(double number);

}  // namespace domainfusion
