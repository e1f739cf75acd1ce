// The Python module domainfusion._native; python/domainfusion makes a package of it.
#include "domainfusion/core/machine/cpus.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {

void bind_machine(py::module_& module) {
  module.def("set_threads", &set_threads, py::arg("threads") = 0, Unlocked(),
             "Sets the threads of torch, OpenMP, BLAS and this library's loops, as the program's --threads; 0: all\n"
             "CPUs that this process may use. Returns the number set. Bits of results depend on it.");
  module.def("available_cpus", &available_cpus, "CPUs that this process may use (affinity and quota considered).");
}

}  // namespace domainfusion

PYBIND11_MODULE(_native, module) {
  using namespace domainfusion;
  module.doc() = "DomainFusion: domain generalization with a frozen latent diffusion model";
  module.attr("__version__") = DOMAINFUSION_VERSION;
  bind_errors(module);
  bind_machine(module);
  bind_tokenizer(module);
  bind_schedulers(module);
  bind_weights(module);
  bind_latent_diffusion(module);
  bind_classifier(module);
  bind_datasets(module);
  bind_distillation(module);
  bind_rounds(module);
  bind_style_content(module);
  bind_results(module);
}
