#include "domainfusion/training/options/hparam_ranges.h"

#include <cmath>
#include <map>

namespace domainfusion {
namespace {

using nlohmann::json;
using Ranges = std::vector<HparamRange>;

HparamRange fixed(std::string name, json value) {
  return {std::move(name), value, [value](NumpyRandom&) { return value; }, {}};
}

HparamRange power(std::string name, json default_value, double base, double low, double high) {
  return {std::move(name),
          std::move(default_value),
          [=](NumpyRandom& random) { return json(std::pow(base, random.uniform(low, high))); },
          {}};
}

HparamRange whole_power(std::string name, json default_value, double base, double low, double high) {
  return {
      std::move(name),
      std::move(default_value),
      [=](NumpyRandom& random) { return json(static_cast<std::int64_t>(std::pow(base, random.uniform(low, high)))); },
      {}};
}

HparamRange between(std::string name, json default_value, double low, double high) {
  return {std::move(name),
          std::move(default_value),
          [=](NumpyRandom& random) { return json(random.uniform(low, high)); },
          {}};
}

HparamRange whole_between(std::string name, json default_value, double low, double high) {
  return {std::move(name),
          std::move(default_value),
          [=](NumpyRandom& random) { return json(static_cast<std::int64_t>(random.uniform(low, high))); },
          {}};
}

HparamRange chosen(std::string name, json default_value, std::vector<json> values) {
  return {std::move(name), std::move(default_value), [=](NumpyRandom& random) { return random.choice(values); }, {}};
}

HparamRange placed(HparamRange range, std::string option) {
  range.option = std::move(option);
  return range;
}

bool has_small_images(const std::string& dataset) {
  return dataset == "Debug28" || dataset == "RotatedMNIST" || dataset == "ColoredMNIST";
}

Ranges adversary(const std::string& algorithm) {
  if (algorithm == "adrmx") {
    return {chosen("cnt_lambda", 1.0, {1.0}),     chosen("dclf_lambda", 1.0, {1.0}),
            chosen("disc_lambda", 0.75, {0.75}),  chosen("rmxd_lambda", 1.0, {1.0}),
            chosen("d_steps_per_g_step", 2, {2}), placed(chosen("beta1", 0.5, {0.5}), "optimizer.beta1"),
            chosen("mlp_width", 256, {256}),      chosen("mlp_depth", 9, {8, 9, 10}),
            chosen("mlp_dropout", 0., {0})};
  }
  return {power("lambda", 1.0, 10, -2, 2),
          power("weight_decay_d", 0., 10, -6, -2),
          whole_power("d_steps_per_g_step", 1, 2, 0, 3),
          power("grad_penalty", 0., 10, -2, 1),
          placed(chosen("beta1", 0.5, {0., 0.5}), "optimizer.beta1"),
          whole_power("mlp_width", 256, 2, 6, 10),
          chosen("mlp_depth", 3, {3, 4, 5}),
          chosen("mlp_dropout", 0., {0., 0.1, 0.5})};
}

Ranges risk_distributions(const std::string& dataset) {
  const bool domainnet = dataset == "DomainNet", terra = dataset == "TerraIncognita";
  return {domainnet                    ? between("rdm_lambda", 0.5, 0.1, 1.0)
          : dataset == "PACS" || terra ? between("rdm_lambda", 5.0, 1.0, 10.0)
                                       : between("rdm_lambda", 5.0, 0.1, 10.0),
          domainnet ? whole_between("rdm_penalty_anneal_iters", 2400, 1500, 3000)
                    : whole_between("rdm_penalty_anneal_iters", 1500, 800, 2700),
          domainnet || terra || dataset == "OfficeHome" ? chosen("variance_weight", 0.0, {0.0})
                                                        : between("variance_weight", 0.004, 0.001, 0.007),
          between("rdm_lr", 1.5e-5, 8e-6, 2e-5)};
}

Ranges uniform_risk(const std::string& dataset) {
  return {placed(chosen("urm", "adversarial", {"adversarial"}), "-"),
          between("urm_adv_lambda", 0.1, 0, 0.2),
          between("urm_discriminator_label_smoothing", 0, 0, 0),
          placed(chosen("urm_discriminator_optimizer", "adam", {"adam"}), "-"),
          chosen("urm_discriminator_hidden_layers", 1, {1, 2, 3}),
          placed(chosen("urm_generator_output", "tanh", {"tanh", "relu"}), "classifier.activation"),
          has_small_images(dataset) ? power("urm_discriminator_lr", 1e-3, 10, -5.5, -3.5)
                                    : power("urm_discriminator_lr", 5e-5, 10, -6, -4.5)};
}

// What one algorithm has beside the others'.
Ranges own_ranges(const std::string& algorithm, const std::string& dataset) {
  const auto irm = power("irm_lambda", 1e2, 10, -1, 5), bottleneck = power("ib_lambda", 1e2, 10, -1, 5);
  const auto irm_start = whole_power("irm_penalty_anneal_iters", 500, 10, 0, 4);
  const auto bottleneck_start = whole_power("ib_penalty_anneal_iters", 500, 10, 0, 4);
  if (algorithm == "dann" || algorithm == "cdann" || algorithm == "adrmx") return adversary(algorithm);
  if (algorithm == "fish") return {chosen("meta_lr", 0.5, {0.05, 0.1, 0.5})};
  if (algorithm == "rdm") return risk_distributions(dataset);
  if (algorithm == "rsc")
    return {between("rsc_f_drop_factor", 1. / 3, 0, 0.5), between("rsc_b_drop_factor", 1. / 3, 0, 0.5)};
  if (algorithm == "sagnet") return {power("sag_w_adv", 0.1, 10, -2, 1)};
  if (algorithm == "irm") return {irm, irm_start};
  if (algorithm == "ib_erm") return {bottleneck, bottleneck_start};
  if (algorithm == "ib_irm") return {irm, irm_start, bottleneck, bottleneck_start};
  if (algorithm == "mixup") return {power("mixup_alpha", 0.2, 10, -1, 1)};
  if (algorithm == "groupdro") return {power("groupdro_eta", 1e-2, 10, -3, -1)};
  if (algorithm == "mmd" || algorithm == "coral" || algorithm.starts_with("causirl_"))
    return {power("mmd_gamma", 1., 10, -1, 1)};
  if (algorithm == "mldg") return {power("mldg_beta", 1., 10, -1, 1), chosen("n_meta_test", 2, {1, 2})};
  if (algorithm == "mtl") return {placed(chosen("mtl_ema", .99, {0.5, 0.9, 0.99, 1.}), "-")};
  if (algorithm == "vrex")
    return {power("vrex_lambda", 1e1, 10, -1, 5), whole_power("vrex_penalty_anneal_iters", 500, 10, 0, 4)};
  if (algorithm == "sd") return {power("sd_reg", 0.1, 10, -5, -1)};
  if (algorithm == "andmask") return {between("tau", 1, 0.5, 1.)};
  if (algorithm == "iga") return {power("penalty", 1000, 10, 1, 5)};
  if (algorithm == "sandmask") return {between("tau", 1.0, 0.0, 1.), power("k", 1e+1, 10, -3, 5)};
  if (algorithm == "fishr") {
    return {power("lambda", 1000., 10, 1, 4), whole_between("penalty_anneal_iters", 1500, 0, 5000),
            between("ema", 0.95, 0.90, 0.99)};
  }
  if (algorithm == "trm") {
    return {power("cos_lambda", 1e-4, 10, -5, 0), whole_power("iters", 200, 10, 0, 4),
            power("groupdro_eta", 1e-2, 10, -3, -1)};
  }
  if (algorithm == "cad" || algorithm == "condcad") {
    return {chosen("lmbda", 1e-1, {1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2}), chosen("temperature", 0.1, {0.05, 0.1}),
            fixed("is_normalized", false), placed(fixed("is_project", false), "-"), fixed("is_flipped", true)};
  }
  if (algorithm == "transfer") {
    return {power("t_lambda", 1.0, 10, -2, 1),
            between("delta", 2.0, 0.1, 3.0),
            chosen("d_steps_per_g", 10, {1, 2, 5}),
            placed(power("weight_decay_d", 0., 10, -6, -2), "-"),
            placed({"gda", false, [](NumpyRandom&) { return json(true); }, {}}, "-"),
            placed(chosen("beta1", 0.5, {0., 0.5}), "-"),
            power("lr_d", 1e-3, 10, -4.5, -2.5)};
  }
  if (algorithm == "eqrm") {
    return {between("eqrm_quantile", 0.75, 0.5, 0.99), power("eqrm_burnin_iters", 2500, 10, 2.5, 3.5),
            power("eqrm_lr", 1e-6, 10, -7, -5)};
  }
  if (algorithm == "erm_plus_plus") return {power("linear_lr", 5e-5, 10, -5, -3.5)};
  if (algorithm == "urm") return uniform_risk(dataset);
  return {};
}

HparamRange learning_rate(const std::string& name, bool small_images) {
  return small_images ? power(name, 1e-3, 10, -4.5, -2.5) : power(name, 5e-5, 10, -5, -3.5);
}

HparamRange decay(const std::string& name, bool small_images) {
  return small_images ? fixed(name, 0.) : power(name, 0., 10, -6, -2);
}

HparamRange batch_size(const std::string& algorithm, const std::string& dataset) {
  if (has_small_images(dataset)) return whole_power("batch_size", 64, 2, 3, 9);
  if (algorithm == "arm") return fixed("batch_size", 8);
  if (algorithm == "rdm") {
    if (dataset == "DomainNet" || dataset == "TerraIncognita") return whole_between("batch_size", 40, 30, 60);
    return whole_between("batch_size", 88, 70, 100);
  }
  return whole_power("batch_size", 32, 2, 3, dataset == "DomainNet" ? 5 : 5.5);
}

// Of optimizer and batches. DANN and CDANN have two optimizers, of which the generator's is the run's.
Ranges training_ranges(const std::string& algorithm, const std::string& dataset) {
  const bool small = has_small_images(dataset), adversarial = algorithm == "dann" || algorithm == "cdann";
  HparamRange lr = learning_rate("lr", small);
  if (algorithm == "adrmx") {
    lr = small ? chosen("lr", 3e-3, {5e-4, 1e-3, 2e-3, 3e-3}) : chosen("lr", 3e-5, {2e-5, 3e-5, 4e-5, 5e-5});
  }
  Ranges ranges{lr, decay("weight_decay", small), placed(batch_size(algorithm, dataset), "loader.batch_size")};
  if (!adversarial) {
    ranges[0].option = "optimizer.lr";
    ranges[1].option = "optimizer.weight_decay";
    return ranges;
  }
  ranges.push_back(placed(learning_rate("lr_g", small), "optimizer.lr"));
  ranges.push_back(placed(learning_rate("lr_d", small), algorithm + ".lr_d"));
  ranges.push_back(placed(decay("weight_decay_g", small), "optimizer.weight_decay"));
  return ranges;
}

}  // namespace

std::string domainbed_algorithm(const std::string& algorithm) {
  static const std::map<std::string, std::string> names{{"erm", "ERM"},
                                                        {"erm_plus_plus", "ERMPlusPlus"},
                                                        {"fish", "Fish"},
                                                        {"irm", "IRM"},
                                                        {"groupdro", "GroupDRO"},
                                                        {"mixup", "Mixup"},
                                                        {"mldg", "MLDG"},
                                                        {"coral", "CORAL"},
                                                        {"mmd", "MMD"},
                                                        {"dann", "DANN"},
                                                        {"cdann", "CDANN"},
                                                        {"mtl", "MTL"},
                                                        {"sagnet", "SagNet"},
                                                        {"arm", "ARM"},
                                                        {"vrex", "VREx"},
                                                        {"rsc", "RSC"},
                                                        {"sd", "SD"},
                                                        {"andmask", "ANDMask"},
                                                        {"sandmask", "SANDMask"},
                                                        {"iga", "IGA"},
                                                        {"selfreg", "SelfReg"},
                                                        {"fishr", "Fishr"},
                                                        {"trm", "TRM"},
                                                        {"ib_erm", "IB_ERM"},
                                                        {"ib_irm", "IB_IRM"},
                                                        {"cad", "CAD"},
                                                        {"condcad", "CondCAD"},
                                                        {"transfer", "Transfer"},
                                                        {"eqrm", "EQRM"},
                                                        {"causirl_coral", "CausIRL_CORAL"},
                                                        {"rdm", "RDM"},
                                                        {"causirl_mmd", "CausIRL_MMD"},
                                                        {"adrmx", "ADRMX"},
                                                        {"urm", "URM"}};
  const auto found = names.find(algorithm);
  return found == names.end() ? algorithm : found->second;
}

Ranges hparam_ranges(const std::string& algorithm, const std::string& dataset) {
  Ranges all{placed(fixed("data_augmentation", true), "loader.augment"),
             fixed("resnet18", false),
             fixed("resnet50_augmix", true),
             fixed("dinov2", false),
             fixed("vit", false),
             fixed("vit_attn_tune", false),
             fixed("freeze_bn", false),
             fixed("lars", false),
             fixed("linear_steps", 500),
             chosen("resnet_dropout", 0.0, {0., 0.1, 0.5}),
             chosen("vit_dropout", 0.0, {0., 0.1, 0.5}),
             fixed("class_balanced", false),
             fixed("nonlinear_classifier", false)};
  if (algorithm == "erm_plus_plus") all[8].option = "erm_plus_plus.linear_steps";
  for (HparamRange& own : own_ranges(algorithm, dataset)) {
    if (own.option.empty()) own.option = algorithm + "." + own.name;
    if (own.option == "-") own.option.clear();
    all.push_back(std::move(own));
  }
  for (HparamRange& range : training_ranges(algorithm, dataset)) all.push_back(std::move(range));
  return all;
}

}  // namespace domainfusion
