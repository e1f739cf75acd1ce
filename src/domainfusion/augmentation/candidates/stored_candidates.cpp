#include "domainfusion/augmentation/candidates/stored_candidates.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace domainfusion {

StoredCandidates::StoredCandidates(std::unique_ptr<CandidateGenerator> generator, nlohmann::json options,
                                   CandidateStore store, const std::filesystem::path& list,
                                   std::function<void()> stop_point)
    : generator_(std::move(generator)),
      options_(std::move(options)),
      store_(std::move(store)),
      farm_(store_),
      list_(list),
      stop_point_(std::move(stop_point)) {}

// By value: the caller's stream stays where it is.
CandidateKey StoredCandidates::key_of(const at::Tensor& z_chw, const std::string& prompt, RandomStream noise) const {
  std::string numbers;
  for (int i = 0; i < 4; ++i) numbers += fmt::format("{:016x}", noise.next_u64());
  return {hash_of_latents(z_chw), generator_->ldm().weights_hash, options_, prompt, {{"stream", numbers}}};
}

std::vector<std::string> StoredCandidates::hashes(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                                  const std::vector<RandomStream>& noise) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    names.push_back(key_of(z_Nchw[static_cast<std::int64_t>(i)], prompts[i], noise.at(i)).hash());
  return names;
}

at::Tensor StoredCandidates::candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                               std::vector<RandomStream> noise) const {
  std::vector<CandidateKey> keys;
  std::vector<std::string> hashes, wanted;
  std::vector<std::int64_t> rows;  // of `wanted`: a group may hold a candidate twice
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    keys.push_back(key_of(z_Nchw[row], prompts[i], noise.at(i)));
    hashes.push_back(keys.back().hash());
    if (std::find(wanted.begin(), wanted.end(), hashes.back()) != wanted.end()) continue;
    wanted.push_back(hashes.back());
    rows.push_back(row);
  }
  const auto make = [&](const std::vector<std::size_t>& places) {
    std::vector<std::int64_t> own;
    std::vector<std::string> own_prompts;
    std::vector<RandomStream> own_noise;
    for (const std::size_t place : places) {
      own.push_back(rows[place]);
      own_prompts.push_back(prompts[static_cast<std::size_t>(rows[place])]);
      own_noise.push_back(noise[static_cast<std::size_t>(rows[place])]);
    }
    const at::Tensor z = generator_->candidate_latents(z_Nchw.index_select(0, at::tensor(own).to(z_Nchw.device())),
                                                       own_prompts, std::move(own_noise));
    for (std::size_t k = 0; k < own.size(); ++k) {
      store_.add_latents(keys[static_cast<std::size_t>(own[k])], z[static_cast<std::int64_t>(k)]);
    }
  };
  farm_.complete(wanted, std::ssize(wanted), make, {[this] {
                   if (stop_point_) stop_point_();
                   return false;
                 }});
  std::vector<at::Tensor> made;
  for (const std::string& hash : hashes) {
    made.push_back(store_.latents(hash).to(z_Nchw.device()));
    list_.write({{"key", hash}});
  }
  return at::stack(made);
}

}  // namespace domainfusion
