#pragma once
// SIGINT and SIGTERM as a wish to stop at the next good moment.

#include <csignal>

namespace domainfusion {

// Thrown at a point where work can be taken up again later; it is no error. The program ends with 128 + the signal.
struct Interrupted {};

// While an object lives, the first SIGINT or SIGTERM sets a flag and a second one ends the process at once. One at a
// time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  bool requested() const;
  // The signal that came while the last object lived; 0: none.
  static int number();

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace domainfusion
