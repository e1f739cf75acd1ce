#include "domainfusion/cli/doctor/machine_checks.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <langinfo.h>
#include <unistd.h>

#include <clocale>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "domainfusion/core/libtorch_version.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/core/machine/cpus.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/nn/kernels/kernels.h"

namespace domainfusion {
namespace {

// What stands behind "NAME:" in a file of /proc; empty where there is none.
std::string line_of(const std::string& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t value = line.find_first_not_of(" \t", line.find(':') + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return {};
}

// A file of one number; nothing where there is none ("max" is none).
std::optional<double> number_in(const std::string& file) {
  std::ifstream stream(file);
  double value = 0;
  return stream >> value ? std::optional(value) : std::nullopt;
}

}  // namespace

Finding check_processor() {
  const std::string model = line_of("/proc/cpuinfo", "model name");
  const std::string set = kernels().instruction_set;
  Finding finding{"processor", Severity::kGood, fmt::format("{}; kernels: {}", model.empty() ? "unknown" : model, set),
                  ""};
  if (set == "portable") {
    finding.severity = Severity::kWarning;
    finding.remedy = "a processor with AVX2 makes images three to four times as fast";
  } else if (const char* named = std::getenv("DOMAINFUSION_KERNELS");
             named && runnable_kernels().back() != &kernels()) {
    finding.severity = Severity::kWarning;
    finding.remedy = fmt::format("DOMAINFUSION_KERNELS={} holds it back; unset it for {}", named,
                                 runnable_kernels().back()->instruction_set);
  }
  return finding;
}

Finding check_cpus() {
  const auto all = static_cast<int>(std::thread::hardware_concurrency());
  const int mine = available_cpus();
  Finding finding{"CPUs", Severity::kGood,
                  fmt::format("{} of {} may be used, {} threads", mine, all, numeric_threads()), ""};
  if (numeric_threads() > mine) {
    finding.severity = Severity::kWarning;
    finding.remedy = fmt::format("more threads than CPUs wait for each other: --threads {} or none", mine);
  } else if (mine < all && mine <= 1) {
    finding.severity = Severity::kWarning;
    finding.remedy = "affinity or a quota (cgroup cpu.max, taskset, a container's --cpus) leaves one CPU: ask for more";
  }
  return finding;
}

Finding check_blas() {
  const std::string library = loaded_blas().string();
  const double gflops = measure_gemm_gflops();
  Finding finding{
      "matrix products", Severity::kGood,
      fmt::format("{:.0f} GFLOP/s in float32, by {}", gflops, library.empty() ? "libtorch's own BLAS" : library), ""};
  if (const std::string warning = slow_blas_warning(); !warning.empty()) {
    finding.severity = Severity::kWarning;
    finding.remedy = warning;
  }
  return finding;
}

Finding check_libtorch() {
  Finding finding{"libtorch", Severity::kGood,
                  fmt::format("{}, {}", TORCH_VERSION, at::hasMKLDNN() ? "with oneDNN" : "without oneDNN"), ""};
  if (!at::hasMKLDNN()) {
    finding.severity = Severity::kWarning;
    finding.remedy = "training's convolutions are slow without oneDNN: take Debian's libtorch or an upstream one";
  }
  return finding;
}

Finding check_gpu() {
  const bool driver = ::access("/dev/nvidiactl", F_OK) == 0 || ::access("/proc/driver/nvidia/version", F_OK) == 0;
  if (at::hasCUDA()) {
    const auto devices = at::detail::getCUDAHooks().getNumGPUs();
    return {"GPU", Severity::kGood, fmt::format("{} that libtorch can use", devices), ""};
  }
  if (!driver) return {"GPU", Severity::kGood, "none here; everything runs on the CPU", ""};
  const std::string version = line_of("/proc/driver/nvidia/version", "NVRM version");
  return {
      "GPU", Severity::kWarning,
      fmt::format("there is one (driver {}), and this libtorch cannot use it", version.empty() ? "unknown" : version),
      "build against an upstream libtorch with CUDA that this driver knows: docs/guide/gpu.md"};
}

Finding check_memory() {
  double total = 0, available = 0;
  std::istringstream(line_of("/proc/meminfo", "MemTotal")) >> total;
  std::istringstream(line_of("/proc/meminfo", "MemAvailable")) >> available;
  total *= 1024, available *= 1024;
  const std::optional<double> limit = number_in("/sys/fs/cgroup/memory.max");
  if (limit) available = std::min(available, *limit - number_in("/sys/fs/cgroup/memory.current").value_or(0));
  Finding finding{"memory", Severity::kGood,
                  fmt::format("{:.1f} GiB of {:.1f} are free{}", available / kGib, total / kGib,
                              limit ? fmt::format("; the cgroup allows {:.1f}", *limit / kGib) : ""),
                  ""};
  if (available < 2 * kGib) {
    finding.severity = Severity::kWarning;
    finding.remedy =
        "a compact LDM with a small network takes 1 GiB, Stable Diffusion 1.5 takes 6: close other programs";
  }
  return finding;
}

Finding check_huge_pages() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string words;
  std::getline(file, words);
  const std::size_t open = words.find('['), close = words.find(']');
  const std::string chosen = close == std::string::npos ? "" : words.substr(open + 1, close - open - 1);
  Finding finding{"huge pages", Severity::kGood, chosen.empty() ? "the system does not say" : chosen, ""};
  if (chosen == "never") {
    finding.severity = Severity::kWarning;
    finding.remedy =
        "fresh memory comes more slowly: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, as root";
  }
  return finding;
}

Finding check_locale() {
  const char* before = std::setlocale(LC_CTYPE, nullptr);
  const std::string kept = before ? before : "C";
  const char* set = std::setlocale(LC_CTYPE, "");
  const std::string name = set ? set : "unknown", code = nl_langinfo(CODESET);
  std::setlocale(LC_CTYPE, kept.c_str());
  Finding finding{"locale", Severity::kGood, fmt::format("{} ({})", name, code), ""};
  if (!set) {
    finding.severity = Severity::kWarning;
    finding.text = "the one that LANG or LC_ALL names is not installed";
    finding.remedy = "export LC_ALL=C.UTF-8";
  }
  return finding;
}

}  // namespace domainfusion
