#pragma once
// A candidate generator that looks into a store before it makes anything, for rounds of augmentation.

#include <functional>

#include "domainfusion/augmentation/candidates/candidate_farm.h"
#include "domainfusion/augmentation/candidates/candidate_generator.h"
#include "domainfusion/io/files/json_lines.h"

namespace domainfusion {

// Gives the bits of the generator it wraps: a candidate is named by the latents that it starts from, its prompt, the
// options and the next numbers of its noise stream. On a CPU the candidates that a group lacks have the same bits when
// they are made without the others; elsewhere they are equal up to rounding. What another process is making is waited
// for.
class StoredCandidates final : public CandidateGenerator {
 public:
  // options: generation_options() of `generator`'s model and request. list: file to which {"key": hash} of every
  // candidate is appended that is given out. stop_point: called while others are waited for; may throw. IoError.
  StoredCandidates(std::unique_ptr<CandidateGenerator> generator, nlohmann::json options, CandidateStore store,
                   const std::filesystem::path& list, std::function<void()> stop_point = {});

  std::int64_t image_size_px() const override { return generator_->image_size_px(); }
  LdmIdentity ldm() const override { return generator_->ldm(); }
  at::Tensor candidate_latents(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                               std::vector<RandomStream> noise) const override;
  // The names of these candidates in the store.
  std::vector<std::string> hashes(const at::Tensor& z_Nchw, const std::vector<std::string>& prompts,
                                  const std::vector<RandomStream>& noise) const;
  at::Tensor encode(const at::Tensor& image01_N3SS) const override { return generator_->encode(image01_N3SS); }
  at::Tensor decode(const at::Tensor& z_Nchw) const override { return generator_->decode(z_Nchw); }

 private:
  CandidateKey key_of(const at::Tensor& z_chw, const std::string& prompt, RandomStream noise) const;

  std::unique_ptr<CandidateGenerator> generator_;
  nlohmann::json options_;
  CandidateStore store_;
  mutable CandidateFarm farm_;
  mutable JsonLinesWriter list_;
  std::function<void()> stop_point_;
};

}  // namespace domainfusion
