#define DOMAINFUSION_INSTRUCTION_SET avx2
#include "domainfusion/data/transforms/pixel_loops/pixel_loops.inl"
