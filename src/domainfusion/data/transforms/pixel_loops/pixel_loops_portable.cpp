#define DOMAINFUSION_INSTRUCTION_SET portable
#include "domainfusion/data/transforms/pixel_loops/pixel_loops.inl"
