// domainfusion doctor: what holds this program back on this machine, and what to do about it.

#include <ATen/ATen.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/doctor/kernel_checks.h"
#include "domainfusion/cli/doctor/machine_checks.h"
#include "domainfusion/cli/doctor/storage_checks.h"
#include "domainfusion/core/code_version.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/data/sets/folder_dataset.h"
#include "domainfusion/data/verification/set_counts.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// Everything works, and something should be attended to.
class AttentionError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode{5}; }
};

struct DoctorArguments {
  std::vector<std::string> folders;
  std::string ldm, tokenizer, data, json;
};

// Errors of what was looked at are its findings.
template <class Action>
Finding found_by(const std::string& subject, const std::string& remedy, Action action) {
  try {
    return {subject, Severity::kGood, action(), ""};
  } catch (const Error& error) {
    return {subject, Severity::kFault, error.what(), remedy};
  }
}

// Opens every part and takes one image through VAE and U-Net.
std::string tried_ldm(const DoctorArguments& arguments) {
  const at::NoGradGuard no_gradient;
  LdmOptions options;
  options.tokenizer = arguments.tokenizer;
  const LatentDiffusion ldm = LatentDiffusion::load(arguments.ldm, options);
  const std::int64_t side = ldm.image_size_px();
  const at::Tensor latents = ldm.encode(at::full({1, 3, side, side}, 0.5F));
  const at::Tensor predicted = ldm.predict_epsilon(latents, at::full({1}, 500, at::kLong), ldm.embed({"a photo"}));
  const at::Tensor image = ldm.decode(latents);
  check<FormatError>(at::isfinite(predicted).all().item<bool>() && at::isfinite(image).all().item<bool>(),
                     "its networks give numbers that are not finite");
  return fmt::format("images of {} px, latents {}, all parts compute", side, fmt::join(ldm.latent_shape(), " x "));
}

std::string tried_data(const std::string& folder) {
  const FolderDataset dataset(folder, {});
  return fmt::format("{} images of {} classes in {} domains; `data verify` reads them all",
                     count_images(dataset).total(), dataset.class_names().size(), dataset.domain_names().size());
}

Findings examined(const DoctorArguments& arguments) {
  Findings findings{check_processor(), check_cpus(),   check_blas(),       check_libtorch(),
                    check_gpu(),       check_memory(), check_huge_pages(), check_locale()};
  const Findings of_kernels = check_kernels();
  findings.insert(findings.end(), of_kernels.begin(), of_kernels.end());
  for (const std::string& folder : arguments.folders) findings.push_back(check_folder(folder, "runs, stores"));
  if (arguments.folders.empty()) findings.push_back(check_folder(fs::current_path(), "here"));
  findings.push_back(check_folder(fs::temp_directory_path(), "temporary files"));
  if (!arguments.data.empty())
    findings.push_back(found_by("set " + arguments.data, "docs/guide/data.md says how a set lies in its folder",
                                [&] { return tried_data(arguments.data); }));
  if (!arguments.ldm.empty())
    findings.push_back(found_by("LDM " + arguments.ldm,
                                "`inspect weights` shows what its files hold; docs/guide/ldms.md what is read",
                                [&] { return tried_ldm(arguments); }));
  return findings;
}

void doctor(const DoctorArguments& arguments) {
  const Findings findings = examined(arguments);
  fmt::print("domainfusion {}\n{}", code_version(), describe(findings));
  if (!arguments.json.empty()) {
    const nlohmann::json report{{"version", code_version()}, {"findings", to_json(findings)}};
    write_file_atomically(arguments.json, report.dump(2) + "\n");
  }
  const Severity worst = worst_of(findings);
  check<Error>(worst != Severity::kFault, "something does not work: see FAULT above");
  check<AttentionError>(worst != Severity::kWarning, "something should be attended to: see WARNING above");
}

}  // namespace

void add_doctor_command(Command& app) {
  auto arguments = std::make_shared<DoctorArguments>();
  Command command = app.add("doctor", "find what holds this program back on this machine, each with its remedy");
  command.option("--folder", arguments->folders, "where runs and stores are to lie; may be given often; default: here");
  command.option("--data", arguments->data, "also look at this set");
  command.option("--ldm", arguments->ldm, "also load this latent diffusion model and take an image through it");
  command.option("--tokenizer", arguments->tokenizer, "tokenizer folder, for a CompVis file, which has none");
  command.option("--json", arguments->json, "also write the findings to this file, for a report of a fault");
  command.more_help(
      [] { return "Exit codes: 0 all good; 5 something is slow or nearly full; 1 something does not work"; });
  command.run([arguments] { doctor(*arguments); });
}

}  // namespace domainfusion
