#include <torch/types.h>

#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {
namespace {

at::Tensor ids_of_prompts(const ClipTokenizer& tokenizer, const Texts& prompts) {
  const std::vector<std::string> texts = texts_of(prompts, 1);
  const at::Tensor ids = torch::empty({static_cast<std::int64_t>(texts.size()), tokenizer.length()}, torch::kInt64);
  for (std::size_t i = 0; i < texts.size(); ++i)
    ids[static_cast<std::int64_t>(i)].copy_(torch::tensor(tokenizer.encode(texts[i])));
  return ids;
}

}  // namespace

void bind_tokenizer(py::module_& module) {
  py::class_<ClipTokenizer>(module, "ClipTokenizer", "CLIP's byte-pair encoding, from prompts to token ids.")
      .def_static("load", &ClipTokenizer::load, py::arg("folder"), py::arg("unstated_length") = 77, Unlocked(),
                  "Reads a tokenizer folder (vocab.json and merges.txt, or tokenizer.json). unstated_length: `length`\n"
                  "where the files state none.")
      .def("__call__", &ids_of_prompts, py::arg("prompts"),
           "int64 [N, length]: start token, the prompt's tokens (cut to fit), end token, padding.")
      .def(
          "encode", [](const ClipTokenizer& t, const std::string& prompt) { return t.encode(prompt); },
          py::arg("prompt"), "The `length` ids of one prompt, as a list.")
      .def(
          "tokenize", [](const ClipTokenizer& t, const std::string& prompt) { return t.tokenize(prompt); },
          py::arg("prompt"), "The prompt's tokens alone, uncut.")
      .def(
          "cut_text", [](const ClipTokenizer& t, const std::string& prompt) { return t.cut_text(prompt); },
          py::arg("prompt"), "What encode() cuts off the end of the prompt, in lower case; empty if it fits.")
      .def_property_readonly("length", &ClipTokenizer::length)
      .def_property_readonly("start_id", &ClipTokenizer::start_id)
      .def_property_readonly("end_id", &ClipTokenizer::end_id)
      .def_property_readonly("pad_id", &ClipTokenizer::pad_id)
      .def_property_readonly("vocabulary_size", &ClipTokenizer::vocabulary_size);
}

}  // namespace domainfusion
