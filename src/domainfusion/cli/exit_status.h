#pragma once
// What becomes of an exception that nobody caught.

#include <exception>
#include <string>

#include "domainfusion/core/error.h"

namespace domainfusion {

struct ExitStatus {
  ExitCode code = ExitCode::kFailure;
  std::string message;
};

// Of an Error, its own code and message. Of what libraries and the system throw, one line that says the cause: failed
// files, printing and JSON of an unexpected form are kInput, all else is kFailure.
ExitStatus exit_status_of(std::exception_ptr exception);

// Makes descriptors 0 to 2 exist where the program was started without them: otherwise the next file that is opened
// gets their number, and what is printed goes into it. Reading and writing there fails as before.
void occupy_standard_streams();

// Prints "error: …" to stderr if that is possible, and returns the code for exit().
int report(const ExitStatus& status) noexcept;

}  // namespace domainfusion
