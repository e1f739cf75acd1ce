#define DOMAINFUSION_INSTRUCTION_SET avx512
#include "domainfusion/data/transforms/pixel_loops/pixel_loops.inl"
