#include "domainfusion/augmentation/styles/style_content.h"

#include "domainfusion/augmentation/rounds/selection.h"
#include "domainfusion/augmentation/styles/style_mixing.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {
namespace {

std::shared_ptr<Decomposition> new_decomposition(const std::string& name, const nlohmann::json& options) {
  DecompositionConfig config;
  fields_of(config).from_json(options);
  return decompositions().make(name, config);
}

SimilarityForm form_of(const std::string& name) {
  if (name == "cosine") return SimilarityForm::kCosine;
  check<ConfigError>(name == "l2", "similarity = '{}': expected cosine or l2", name);
  return SimilarityForm::kL2;
}

void check_one(const char* what, const StyleContent& values) {
  check<ShapeError>(values.count() == 1, "{} of {} images: expected one", what, values.count());
}

nlohmann::json selected(const Decomposition& decomposition, const StyleContent& x, const StyleContent& candidates,
                        const std::string& style_similarity, const std::string& content_similarity) {
  check_one("x", x);
  const Selection s =
      select_candidates(decomposition, x, candidates, {form_of(style_similarity), form_of(content_similarity)});
  return {{"style", s.style},
          {"content", s.content},
          {"style_similarities", s.style_similarities},
          {"content_similarities", s.content_similarities}};
}

}  // namespace

void bind_style_content(py::module_& module) {
  py::class_<StyleContent>(module, "StyleContent", "Style and content of N images.")
      .def_readonly("style", &StyleContent::style, "[N, …]; the other dimensions belong to the decomposition")
      .def_readonly("content", &StyleContent::content, "[N, …]")
      .def("__len__", &StyleContent::count)
      .def(
          "__getitem__",
          [](const StyleContent& values, std::int64_t index) {
            if (index < 0 || index >= values.count()) throw py::index_error();
            return values.at(index);
          },
          py::arg("index"), "Image `index` alone, as a view with N = 1.");
  py::class_<Decomposition, std::shared_ptr<Decomposition>>(
      module, "Decomposition", "Splits images into style and content, compares them, and puts both together anew.")
      .def(
          py::init(&new_decomposition), py::arg("name"), py::arg("options") = nlohmann::json::object(),
          "name: \"fourier\" (amplitude and phase of pixels in [0, 1]) or \"adain\" (statistics of latents). options:\n"
          "mix, window, envelope, as `augmentation.*` of recipes.")
      .def_property_readonly(
          "space",
          [](const Decomposition& d) { return d.space() == Decomposition::Space::kPixels ? "pixels" : "latents"; },
          "What is taken apart: \"pixels\" or \"latents\".")
      .def("decompose", &Decomposition::decompose, py::arg("values"), Unlocked(),
           "values [N, C, H, W], float32 or float64 -> StyleContent.")
      .def(
          "style_similarity",
          [](const Decomposition& d, const StyleContent& x, const StyleContent& candidates, const std::string& form) {
            check_one("x", x);
            return d.style_similarity(x, candidates, form_of(form));
          },
          py::arg("x"), py::arg("candidates"), py::arg("form") = "cosine", Unlocked(),
          "[N]: how near the candidates' styles are to that of x (one image); greater is nearer. form: cosine or l2.")
      .def(
          "content_similarity",
          [](const Decomposition& d, const StyleContent& x, const StyleContent& candidates, const std::string& form) {
            check_one("x", x);
            return d.content_similarity(x, candidates, form_of(form));
          },
          py::arg("x"), py::arg("candidates"), py::arg("form") = "cosine", Unlocked(), "The same of contents.")
      .def(
          "fused",
          [](const Decomposition& d, const StyleContent& x, const StyleContent& style, const StyleContent& content) {
            check_one("x", x);
            check_one("style", style);
            check_one("content", content);
            return d.fused(x, style, content);
          },
          py::arg("x"), py::arg("style"), py::arg("content"), Unlocked(),
          "Values [1, C, H, W] with the content of `content` and the style (1 - mix) x + mix style; pixels in [0, 1].")
      .def(
          "select", &selected, py::arg("x"), py::arg("candidates"), py::arg("style_similarity") = "cosine",
          py::arg("content_similarity") = "cosine", Unlocked(),
          "The sampling strategy: which candidate's style is least like that of x (\"style\"), which one's content is\n"
          "most like it (\"content\"), and all similarities.");
  module.def(
      "decomposition_names", [] { return decompositions().names(); }, "The names that Decomposition knows.");
  module.def("mix_statistics", &mix_statistics, py::arg("x"), py::arg("style"), py::arg("own_share"),
             py::arg("epsilon") = 1e-6, Unlocked(),
             "MixStyle: maps [N, C, H, W] with part of the mean and deviation of `style`; own_share [N] is lambda.");
  module.def("match_distribution", &match_distribution, py::arg("x"), py::arg("style"), py::arg("own_share"),
             Unlocked(), "EFDMix: each channel's values move towards those of `style` of the same rank.");
  module.def(
      "mix_spectra",
      [](const at::Tensor& images, const at::Tensor& styles, double max_share, std::uint64_t seed) {
        return mix_spectra(checked_images(images), checked_images(styles), max_share,
                           RandomStream(seed, "mix_spectra"));
      },
      py::arg("images"), py::arg("styles"), py::arg("max_share") = 1.0, py::arg("seed") = 0, Unlocked(),
      "FACT's amplitude mix: images [N, 3, H, W] in [0, 1], each with part (up to max_share) of the Fourier amplitude "
      "of\n"
      "a drawn one of `styles` [M, 3, H, W].");
}

}  // namespace domainfusion
