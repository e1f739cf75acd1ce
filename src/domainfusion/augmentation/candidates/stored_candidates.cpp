#include "domainfusion/augmentation/candidates/stored_candidates.h"

#include <ATen/ATen.h>

namespace domainfusion {

StoredCandidates::StoredCandidates(std::unique_ptr<CandidateGenerator> generator, nlohmann::json options,
                                   CandidateStore store, const std::filesystem::path& list)
    : generator_(std::move(generator)), options_(std::move(options)), store_(std::move(store)), list_(list) {}

// By value: the caller's stream stays where it is.
CandidateKey StoredCandidates::key_of(const at::Tensor& z_chw, const std::string& prompt, RandomStream noise) const {
  std::string numbers;
  for (int i = 0; i < 4; ++i) numbers += fmt::format("{:016x}", noise.next_u64());
  return {hash_of_latents(z_chw), generator_->ldm().weights_hash, options_, prompt, {{"stream", numbers}}};
}

at::Tensor StoredCandidates::candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                               std::vector<RandomStream> noise) const {
  std::vector<CandidateKey> keys;
  std::vector<at::Tensor> made(prompts.size());
  std::vector<std::int64_t> missing;
  std::vector<std::string> missing_prompts;
  std::vector<RandomStream> missing_noise;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    keys.push_back(key_of(z_Nchw[static_cast<std::int64_t>(i)], prompts[i], noise.at(i)));
    const std::string hash = keys.back().hash();
    if (store_.state(hash) == CandidateStore::State::kGood) {
      made[i] = store_.latents(hash).to(z_Nchw.device());
      continue;
    }
    missing.push_back(static_cast<std::int64_t>(i));
    missing_prompts.push_back(prompts[i]);
    missing_noise.push_back(noise[i]);
  }
  if (!missing.empty()) {
    const at::Tensor rows = at::tensor(missing).to(z_Nchw.device());
    const at::Tensor z =
        generator_->candidate_latents(z_Nchw.index_select(0, rows), missing_prompts, std::move(missing_noise));
    for (std::size_t k = 0; k < missing.size(); ++k) {
      const auto i = static_cast<std::size_t>(missing[k]);
      made[i] = z[static_cast<std::int64_t>(k)];
      store_.add_latents(keys[i], made[i]);
    }
  }
  for (const CandidateKey& key : keys) list_.write({{"key", key.hash()}});
  return at::stack(made);
}

}  // namespace domainfusion
