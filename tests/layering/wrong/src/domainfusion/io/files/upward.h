#pragma once
// A file that the check of the folder order must refuse.

#include <torch/torch.h>

#include "domainfusion/data/sets/domain_dataset.h"
