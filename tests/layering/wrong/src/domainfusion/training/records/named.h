#pragma once
namespace domainfusion {
const char* name_of(unsigned place);
}  // namespace domainfusion
