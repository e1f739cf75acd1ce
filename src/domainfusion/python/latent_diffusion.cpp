#include "domainfusion/diffusion/latent_diffusion.h"

#include <torch/types.h>

#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/generation/inversion.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {
namespace {

LatentDiffusion opened_ldm(const std::filesystem::path& path, const std::filesystem::path& tokenizer,
                           const std::string& prediction_type, const std::vector<std::string>& loras,
                           const std::filesystem::path& vae, const py::object& device, const py::object& dtype,
                           bool lazy) {
  const LdmOptions options{.tokenizer = tokenizer,
                           .prediction_type = prediction_type,
                           .loras = lora_choices(loras),
                           .vae = vae,
                           .placement = placement_of_python(device, dtype)};
  const py::gil_scoped_release unlocked;
  return lazy ? LatentDiffusion::open(path, options) : LatentDiffusion::load(path, options);
}

LdmPart part_of(const std::string& name) {
  for (const LdmPart part : {LdmPart::kVae, LdmPart::kUnet, LdmPart::kTextEncoder})
    if (folder_of(part) == name) return part;
  throw ConfigError(fmt::format("part '{}': expected vae, unet or text_encoder", name));
}

GenerationMode mode_of(const std::string& name) {
  for (const auto& [word, mode] : generation_modes())
    if (word == name) return mode;
  throw ConfigError(fmt::format("mode = '{}': expected img2img or inversion", name));
}

const at::Tensor& given_input(const std::optional<at::Tensor>& images, const std::optional<at::Tensor>& latents) {
  check<ConfigError>(images.has_value() != latents.has_value(), "images, latents: expected one of both");
  const at::Tensor& input = images ? checked_images(*images) : *latents;
  check<ShapeError>(input.dim() == 4 && input.size(0) >= 1, "latents [{}]: expected [N, C, h, w]",
                    fmt::join(input.sizes(), ", "));
  return input;
}

std::vector<RandomStream> noise_streams_of(std::uint64_t seed, const std::optional<std::vector<std::uint64_t>>& ids,
                                           std::size_t count) {
  check<ShapeError>(!ids || ids->size() == count, "{} ids for {} images: expected one each", ids ? ids->size() : 0,
                    count);
  std::vector<RandomStream> streams;
  for (std::size_t i = 0; i < count; ++i)
    streams.emplace_back(seed, "image_to_image", std::initializer_list{ids ? (*ids)[i] : i});
  return streams;
}

LatentsHook hook_of(const std::function<void(at::Tensor)>& seen) {
  return [seen](const at::Tensor& z_NChw) {
    interruption_point();
    if (seen) seen(z_NChw);
  };
}

at::Tensor images_from_images(const LatentDiffusion& ldm, const std::optional<at::Tensor>& images, const Texts& prompts,
                              const std::optional<at::Tensor>& latents, const std::string& negative_prompt,
                              double strength, std::int64_t steps, double guidance_scale, const std::string& scheduler,
                              double eta, const std::string& mode, const std::optional<Texts>& inversion_prompts,
                              std::uint64_t seed, const std::optional<std::vector<std::uint64_t>>& ids,
                              const std::optional<at::Tensor>& noise, bool decode,
                              const std::optional<std::function<void(at::Tensor)>>& on_latents) {
  const auto count = static_cast<std::size_t>(given_input(images, latents).size(0));
  ImageToImageRequest request;
  if (images) request.image01_N3HW = *images;
  if (latents) request.z0_NChw = *latents;
  request.prompts = texts_of(prompts, count);
  request.negative_prompt = negative_prompt;
  request.strength = strength;
  request.steps = steps;
  request.guidance_scale = guidance_scale;
  request.scheduler = scheduler;
  request.eta = eta;
  request.mode = mode_of(mode);
  if (inversion_prompts) request.inversion_prompts = texts_of(*inversion_prompts, count);
  request.noise_streams = noise_streams_of(seed, ids, count);
  if (noise) request.noise_NChw = *noise;
  request.on_inverted = hook_of({});
  request.on_latents = hook_of(on_latents.value_or(nullptr));
  return decode ? image_to_image(ldm, std::move(request)) : image_to_image_latents(ldm, std::move(request));
}

at::Tensor inverted_images(const LatentDiffusion& ldm, const std::optional<at::Tensor>& images, const Texts& prompts,
                           const std::optional<at::Tensor>& latents, std::int64_t steps,
                           std::optional<std::int64_t> count) {
  const auto size = static_cast<std::size_t>(given_input(images, latents).size(0));
  const torch::NoGradGuard no_grad;
  const at::Tensor z0 = latents ? latents->to(ldm.placement().device) : ldm.encode(*images);
  const std::vector<std::string> texts = texts_of(prompts, size);
  check<ShapeError>(texts.size() == size, "{} prompts for {} images: expected one each", texts.size(), size);
  return ddim_inverted(ldm, z0, texts, steps, count.value_or(steps), hook_of({}));
}

void bind_networks(py::class_<LatentDiffusion>& ldm) {
  ldm.def(
         "encode", [](const LatentDiffusion& m, const at::Tensor& images) { return m.encode(checked_images(images)); },
         py::arg("images"), Unlocked(),
         "images [N, 3, H, W] in [0, 1], H and W multiples of the VAE's factor f -> latents [N, C, H/f, W/f]: the\n"
         "posterior's mean times scaling_factor. Differentiable.")
      .def("decode", &LatentDiffusion::decode, py::arg("latents"), Unlocked(),
           "latents [N, C, h, w] as encode() gives them -> images [N, 3, h f, w f], clamped to [0, 1]. Differentiable.")
      .def(
          "embed", [](const LatentDiffusion& m, const Texts& prompts) { return m.embed(texts_of(prompts, 1)); },
          py::arg("prompts"), Unlocked(),
          "Text embeddings [N, tokens, width] of N prompts; without gradient, computed once per prompt.")
      .def("predict", &LatentDiffusion::predict, py::arg("z_t"), py::arg("t"), py::arg("condition"),
           py::arg("guidance_scale") = 1.0, Unlocked(),
           "The U-Net's output in the model's own prediction type. z_t [N, C, h, w], t [N], condition [N, tokens, "
           "width]\n"
           "as embed() gives it. guidance_scale: for models that embed it (latent consistency models). "
           "Differentiable.")
      .def("predict_epsilon", &LatentDiffusion::predict_epsilon, py::arg("z_t"), py::arg("t"), py::arg("condition"),
           Unlocked(), "The same as a prediction of the noise. t: int64 in 0 … T-1.")
      .def("image_to_image", &images_from_images, py::arg("images"), py::arg("prompts"), py::kw_only(),
           py::arg("latents") = py::none(), py::arg("negative_prompt") = "", py::arg("strength") = 0.5,
           py::arg("steps") = 20, py::arg("guidance_scale") = 5.0, py::arg("scheduler") = "ddim", py::arg("eta") = 0.0,
           py::arg("mode") = "img2img", py::arg("inversion_prompts") = py::none(), py::arg("seed") = 0,
           py::arg("ids") = py::none(), py::arg("noise") = py::none(), py::arg("decode") = true,
           py::arg("on_latents") = py::none(), Unlocked(),
           "New images under `prompts` (one for all, or one each): the images' latents are carried to a noise level, "
           "by\n"
           "noise (img2img) or by DDIM inversion, and denoised.\n\n"
           "images: [N, 3, H, W] in [0, 1], or None where their `latents` are given. strength: 0 (the VAE's round "
           "trip)\n"
           "… 1, the share of `steps` that is taken. guidance_scale: classifier-free; up to 1: none. scheduler: of\n"
           "scheduler_names(), or \"auto\". Image i draws its noise from (seed, ids[i]), ids being 0 … N-1 if not "
           "given,\n"
           "so that batches change nothing; or noise [N, C, h, w]. on_latents sees the latents after every step.\n"
           "Returns images [N, 3, H, W] in [0, 1], or with decode=False the final latents. No gradient.")
      .def("invert", &inverted_images, py::arg("images"), py::arg("prompts") = "", py::kw_only(),
           py::arg("latents") = py::none(), py::arg("steps") = 20, py::arg("count") = py::none(), Unlocked(),
           "DDIM inversion: the noisy latents [N, C, h, w] that DDIM leads back to the images, after `count` of "
           "`steps`\n"
           "inverse steps (all of them if not given). No gradient.");
}

void bind_facts(py::class_<LatentDiffusion>& ldm) {
  ldm.def_property_readonly("image_size_px", &LatentDiffusion::image_size_px,
                            "Width and height of the images that the model was made for.")
      .def_property_readonly("latent_shape", &LatentDiffusion::latent_shape, "[C, h, w] of one such image.")
      .def_property_readonly("scaling_factor", &LatentDiffusion::scaling_factor)
      .def_property_readonly("alphas_cumprod", &LatentDiffusion::alphas_cumprod, "float32 [T], on the CPU.")
      .def_property_readonly(
          "tokenizer", [](const LatentDiffusion& m) { return m.tokenizer(); }, "A ClipTokenizer.")
      .def_property_readonly("scheduler_config", &LatentDiffusion::scheduler_config,
                             "scheduler_config.json, as a dict.")
      .def_property_readonly(
          "provenance", [](const LatentDiffusion& m) { return m.provenance() ? *m.provenance() : nlohmann::json(); },
          "What the model recorded of its training (domainfusion.json), as a dict; None for models of other makers.")
      .def_property_readonly(
          "device", [](const LatentDiffusion& m) { return m.placement().device.str(); }, "\"cpu\", \"cuda:0\"")
      .def_property_readonly(
          "dtype", [](const LatentDiffusion& m) { return name_of(m.placement().dtype); }, "\"float32\", …")
      .def_property_readonly("folder", &LatentDiffusion::folder, "The path that it was loaded from.")
      .def("weights_hash", &LatentDiffusion::weights_hash, Unlocked(),
           "SHA-256 over the content of all files that the model was read from.")
      .def("use_vae_tiles", &LatentDiffusion::use_vae_tiles, py::arg("tile_px"),
           "From now on larger images pass the VAE in tiles of that size: less memory, slightly other results; 0: "
           "whole.")
      .def(
          "release", [](const LatentDiffusion& m, const std::string& part) { m.release(part_of(part)); },
          py::arg("part"),
          "Gives the memory of \"vae\", \"unet\" or \"text_encoder\" back; its next use loads it again.")
      .def("__repr__", [](const LatentDiffusion& m) {
        return fmt::format("<domainfusion.LatentDiffusion '{}', {} px, {} on {}>", m.folder().string(),
                           m.image_size_px(), name_of(m.placement().dtype), m.placement().device.str());
      });
}

}  // namespace

void bind_latent_diffusion(py::module_& module) {
  py::class_<LatentDiffusion> ldm(
      module, "LatentDiffusion",
      "A frozen text-to-image latent diffusion model: VAE, text encoder, U-Net, noise\n"
      "schedule. Its functions take tensors of any device and floating-point type; results\n"
      "lie on the model's device, in the type of the tensor that they were made from.");
  ldm.def_static(
      "load", &opened_ldm, py::arg("path"), py::kw_only(), py::arg("tokenizer") = "", py::arg("prediction_type") = "",
      py::arg("loras") = std::vector<std::string>(), py::arg("vae") = "", py::arg("device") = "cpu",
      py::arg("dtype") = "float32", py::arg("lazy") = false,
      "path: a diffusers folder, a folder of the hub's cache, the name of a fetched model (\"sd-turbo\"), or\n"
      "a file in CompVis' layout, which needs a `tokenizer` folder. prediction_type: epsilon, v_prediction or\n"
      "sample, where the files do not say. loras: \"FILE\" or \"FILE:SCALE\" each, merged in this order. vae: a\n"
      "folder of a VAE in place of the model's own, TAESD's too.\n"
      "lazy: each network is loaded when it is first used.");
  bind_networks(ldm);
  bind_facts(ldm);
}

}  // namespace domainfusion
