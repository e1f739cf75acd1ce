#include <cstdlib>
#include <string>

#include "domainfusion/io/formats/pickle.h"
#include "domainfusion/io/formats/pytorch_globals.h"
#include "fuzz/harness.h"

using namespace domainfusion;

// Visits every value through every accessor.
static void visit(const Pickle& pickle) {
  for (Pickle::Ref value = 0; value < pickle.size(); ++value) {
    pickle.callee(value);
    pickle.find(value, "state_dict");
    static_cast<void>(std::string(pickle.text(value)));
    for (const Pickle::Ref item : pickle.items(value)) {
      if (item >= pickle.size()) std::abort();
    }
  }
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] { visit(Pickle::parse(bytes_of(data, size), pytorch_globals())); });
}
