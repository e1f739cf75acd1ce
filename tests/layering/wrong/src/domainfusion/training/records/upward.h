#pragma once
// A file that the check of the order of inner rooms must refuse.

#include "domainfusion/training/run/trainer.h"
