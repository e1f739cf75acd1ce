#pragma once
// CDGA (Cross-Domain Generative Augmentation): every source image, translated by image-to-image towards the description
// of every other source domain and of each style, before training begins.
//
// This is the prompt-guided variant (PG). The image-guided one (IG), which conditions on an image of the other domain
// through an image mixer, is not here.

#include <functional>
#include <map>

#include "domainfusion/augmentation/candidates/candidate_farm.h"
#include "domainfusion/augmentation/candidates/generated_dataset.h"
#include "domainfusion/augmentation/cdga/cdga_config.h"
#include "domainfusion/augmentation/prompts.h"

namespace domainfusion {

struct CdgaImage {
  ParentId parent;
  std::int64_t destination = 0;  // domain, or from the number of domains on a style
  std::int64_t copy = 0;
  std::string key;        // CandidateKey::hash()
  std::size_t first = 0;  // place of the first image of this key: files that lie twice in a set share theirs
};

// What translates: one model for all, or beside it one for each of some destinations.
struct CdgaModels {
  LatentDiffusion all;
  std::map<std::int64_t, LatentDiffusion> of_destination = {};
  const LatentDiffusion& towards(std::int64_t destination) const;
};

struct CdgaReport {
  std::int64_t images = 0;   // of the set, those that failed included
  std::int64_t made = 0;     // now
  std::int64_t failed = 0;   // not finite, black or constant: left out
  std::int64_t retried = 0;  // made again in float32
  double seconds = 0;

  std::int64_t found() const { return images - made; }
};

// The noise of an image comes from (seed, content of its parent's file, description of the destination, copy): other
// target domains, splits and orders find equal images equal.
class CdgaImages {
 public:
  // source_in: the source domains' images; destinations: domain -> description, styles with the numbers from that of
  // the domains on; prompts: for these destinations, checked by the target guard. Hashes all images and looks them up
  // in the store. ConfigError: nothing to translate, options that cannot work with a model.
  CdgaImages(CdgaConfig config, std::shared_ptr<const DomainDataset> source_in,
             std::map<std::int64_t, std::string> destinations, CandidatePrompts prompts, CdgaModels models,
             CandidateStore store);

  // In order of parent, destination and copy.
  const std::vector<CdgaImage>& images() const { return images_; }
  const CandidateStore& store() const { return store_; }
  const LatentDiffusion& model() const { return models_.all; }
  const CdgaModels& models() const { return models_; }
  // A domain's name; a style's description.
  const std::string& name_of(std::int64_t destination) const;
  // How many are to be made, and what that takes here (measured when called).
  std::int64_t missing() const { return static_cast<std::int64_t>(missing_places().size()); }
  double estimated_seconds() const;

  // One JSON line for each image: parent, domains, copy, key.
  void write_list(const std::filesystem::path& file) const;

  // For write_job(); `what`: to people.
  CandidateJob job(const std::string& what) const;

  // Makes what is missing, together with every other process that does (CandidateFarm). Nothing if it was stopped; what
  // is finished is kept.
  std::optional<CdgaReport> generate(const std::function<bool()>& should_stop = {});

  // The images that are there; to be asked after generate().
  std::shared_ptr<const GeneratedDataset> dataset() const;

 private:
  void list_images();
  void look_up();
  CandidateKey key_of(const CdgaImage& image) const;
  const std::string& prompt_of(const CdgaImage& image) const;
  std::vector<std::size_t> missing_places() const;
  void make(const std::vector<std::size_t>& places, CdgaReport& report);
  // Of places with one model.
  void make_with(const LatentDiffusion& model, const std::vector<std::size_t>& places, CdgaReport& report);
  ImageToImageRequest request_for(const std::vector<std::size_t>& places, std::int64_t size_px) const;

  CdgaConfig config_;
  std::shared_ptr<const DomainDataset> source_in_;
  std::map<std::int64_t, std::string> destinations_;
  CandidatePrompts prompts_;
  CdgaModels models_;
  CandidateStore store_;
  std::map<std::int64_t, nlohmann::json> options_;    // by destination
  std::vector<std::vector<std::string>> identities_;  // of the source images' files
  std::vector<CdgaImage> images_;
  std::vector<CandidateStore::State> states_;  // by place; those of CdgaImage::first count
};

}  // namespace domainfusion
