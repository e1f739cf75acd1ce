// Prompts of any bytes.
#include <cstdlib>

#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "fuzz/harness.h"

using namespace domainfusion;

static void encode(std::string_view prompt) {
  static const ClipTokenizer tokenizer =
      ClipTokenizer::load(DOMAINFUSION_TEST_DIR "/parity/sd15-tiny/pipeline/tokenizer");
  if (tokenizer.encode(prompt).size() != static_cast<std::size_t>(tokenizer.length())) std::abort();
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] { encode(text_of(data, size)); });
}
