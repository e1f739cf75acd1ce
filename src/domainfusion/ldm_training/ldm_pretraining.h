#pragma once
// Trains a compact LDM: autoencoder, text encoder and denoising U-Net of the Stable Diffusion family, small enough for
// two cores, written as a diffusers folder that loads like any other.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/io/images/image.h"
#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"

namespace domainfusion {

// Rows of images of one size, for a picture grid.
struct LdmPictures {
  std::string name;  // file stem: "vae_001000", "unet_002000"
  std::vector<std::string> row_names;
  std::vector<std::vector<Image>> rows;
};

// A set whose images are all learned from beside the source domains: things and styles that no classifier is trained
// on.
struct FurtherLdmImages {
  std::shared_ptr<const DomainDataset> dataset;
  std::vector<std::string> domain_descriptions, class_words;  // one per domain and class; empty words: the names
};

struct LdmPretrainingRequest {
  std::vector<std::string> domains;              // names; only the IN split of these is read
  std::vector<std::string> domain_descriptions;  // for the captions, in the order of `domains`
  std::vector<std::string> class_words;          // for the captions, one per class; empty: the class names
  std::vector<FurtherLdmImages> further;         // classes of one name are one class
  std::filesystem::path out;                     // exists
  Placement placement;                           // bfloat16: mixed precision, on a CPU of convolutions alone
  bool resume = false;
  std::function<void(const LdmPictures&)> on_pictures;  // may be empty
  std::function<bool()> should_stop;                    // asked before each step; may be empty
  std::function<void()> on_start{};  // called before the first step, once nothing refuses it any more; may be empty
};

// Stages (Rombach et al. 2022): 1. the VAE on L1 of pixels and edges plus KL; 2. with the VAE frozen and its latents
// scaled to standard deviation 1, text encoder and U-Net on v-prediction (Salimans and Ho 2022), captions from the
// prompt templates. Writes into out/: unet, vae, text_encoder, tokenizer, scheduler, model_index.json,
// domainfusion.json (domains, image hashes, class names, seed), and checkpoints/ until it is done. Returns false if it
// was stopped: a checkpoint is written then. Resuming a finished training does nothing. A resumed training gives, at
// equal thread count, the bits of an uninterrupted one. ConfigError for unknown domains, for float16, and for bfloat16
// on a CPU without AVX-512, IoError if the folder cannot be written.
bool pretrain_ldm(const DomainDataset& dataset, const LdmPretrainingConfig& config,
                  const LdmPretrainingRequest& request);

}  // namespace domainfusion
