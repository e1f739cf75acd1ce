#include "domainfusion/training/algorithms/adversarial/adrmx.h"
#include "domainfusion/training/algorithms/adversarial/domain_adversarial.h"
#include "domainfusion/training/algorithms/adversarial/transfer.h"
#include "domainfusion/training/algorithms/adversarial/uniform_risk.h"
#include "domainfusion/training/algorithms/alignment/contrastive_bottleneck.h"
#include "domainfusion/training/algorithms/alignment/feature_matching.h"
#include "domainfusion/training/algorithms/alignment/risk_matching.h"
#include "domainfusion/training/algorithms/alignment/self_reg.h"
#include "domainfusion/training/algorithms/erm.h"
#include "domainfusion/training/algorithms/erm_plus_plus.h"
#include "domainfusion/training/algorithms/meta/adaptive_risk.h"
#include "domainfusion/training/algorithms/meta/fish.h"
#include "domainfusion/training/algorithms/meta/marginal_transfer.h"
#include "domainfusion/training/algorithms/meta/mldg.h"
#include "domainfusion/training/algorithms/meta/trm.h"
#include "domainfusion/training/algorithms/mixing/efdmix.h"
#include "domainfusion/training/algorithms/mixing/mixstyle.h"
#include "domainfusion/training/algorithms/mixing/mixup.h"
#include "domainfusion/training/algorithms/mixing/mode_a.h"
#include "domainfusion/training/algorithms/mixing/mode_f.h"
#include "domainfusion/training/algorithms/mixing/rsc.h"
#include "domainfusion/training/algorithms/mixing/sag_net.h"
#include "domainfusion/training/algorithms/penalties/fishr.h"
#include "domainfusion/training/algorithms/penalties/gradient_agreement.h"
#include "domainfusion/training/algorithms/penalties/invariant_risk.h"
#include "domainfusion/training/algorithms/penalties/miro.h"
#include "domainfusion/training/algorithms/penalties/risk_penalties.h"
#include "domainfusion/training/algorithms/with_ldm/cdga.h"
#include "domainfusion/training/algorithms/with_ldm/domainfusion.h"
#include "domainfusion/training/algorithms/with_ldm/fds.h"

namespace domainfusion {

const AlgorithmRegistry& algorithms() {
  static const AlgorithmRegistry registry = [] {
    AlgorithmRegistry r("algorithm");
    r.add<Erm>("erm", "plain cross-entropy over the pooled source domains");
    r.add<Irm>("irm", "IRM: the head has to be optimal for each domain at once (2019)");
    r.add<VRex>("vrex", "V-REx: a penalty on the variance of the domains' risks (ICML 2021)");
    r.add<GroupDro>("groupdro", "GroupDRO: domains with a high loss weigh more (ICLR 2020)");
    r.add<IbErm>("ib_erm", "ERM with an information bottleneck: a penalty on features' variance (NeurIPS 2021)");
    r.add<IbIrm>("ib_irm", "IRM with the same bottleneck (NeurIPS 2021)");
    r.add<SpectralDecoupling>("sd", "SD: spectral decoupling, a penalty on the logits (NeurIPS 2021)");
    r.add<Eqrm>("eqrm", "EQRM: a quantile of the domains' risks (NeurIPS 2022)");
    r.add<AndMask>("andmask", "AND-mask: changes weights where the domains' gradients agree in sign (ICLR 2021)");
    r.add<SandMask>("sandmask", "SAND-mask: the same with a smooth mask (2021)");
    r.add<Iga>("iga", "IGA: a penalty on the scatter of the domains' gradients (2020)");
    r.add<Fishr>("fishr", "Fishr: a penalty on the scatter of the domains' gradient variances (ICML 2022)");
    r.add<Coral>("coral", "CORAL: means and covariances of the domains' features brought together (2016)");
    r.add<Mmd>("mmd", "MMD: the domains' features brought together by a kernel's distance (CVPR 2018)");
    r.add<CausIrlCoral>("causirl_coral", "CausIRL with CORAL's distance between two mixtures of the domains (2022)");
    r.add<CausIrlMmd>("causirl_mmd", "CausIRL with MMD's distance (2022)");
    r.add<RiskMatching>("rdm", "RDM: the worst domain's distribution of risks brought to that of all (WACV 2024)");
    r.add<Cad>("cad", "CAD: a contrastive bottleneck on the domain (ICLR 2022)");
    r.add<CondCad>("condcad", "CondCAD: the same within classes (ICLR 2022)");
    r.add<SelfReg>("selfreg", "SelfReg: images of a class brought together, and to mixtures of them (ICCV 2021)");
    r.add<Dann>("dann", "DANN: features that keep an adversary from telling the domain (JMLR 2016)");
    r.add<Cdann>("cdann", "CDANN: the same given the class (ECCV 2018)");
    r.add<Transfer>("transfer",
                    "Transfer: features that leave no gap between the domains to a head nearby (NeurIPS 2021)");
    r.add<UniformRisk>("urm", "URM: features that an adversary cannot tell from uniform noise (TMLR 2024)");
    r.add<Adrmx>("adrmx",
                 "ADRMX: features of the domain, learnt beside, taken away, with an adversary and remixing (2023)");
    r.add<Mixup>("mixup", "Mixup of images of different domains (ICLR 2018)");
    r.add<SagNet>("sagnet", "SagNet: mixed styles for the head, an adversary that sees style alone (CVPR 2021)");
    r.add<Rsc>("rsc", "RSC: the features that count most are muted (ECCV 2020)");
    r.add<Mldg>("mldg", "MLDG: a step on some domains has to help on others (AAAI 2018)");
    r.add<Fish>("fish", "Fish: inner products of the domains' gradients, by steps on one after the other (ICLR 2022)");
    r.add<AdaptiveRisk>("arm", "ARM: the batch's context as a channel of its images (NeurIPS 2021)");
    r.add<MarginalTransfer>("mtl", "MTL: the head sees numbers for the domain, in DomainBed noise (JMLR 2021)");
    r.add<Trm>("trm", "TRM: each domain's best head has to serve the others (2021)");
    r.add<ErmPlusPlus>("erm_plus_plus", "ERM++: the head first, then all weights, and their mean (WACV 2025)");
    r.add<Miro>("miro", "MIRO: features near those of the pretrained network (ECCV 2022)");
    r.add<MixStyle>("mixstyle", "feature maps with mixed channel means and deviations (ICLR 2021)");
    r.add<EfdMix>("efdmix", "feature maps whose values are matched by rank with another image's (CVPR 2022)");
    r.add<ModeF>("mode_f", "MODE-F: mixtures of Fourier amplitudes, searched where the classifier loses most");
    r.add<ModeA>("mode_a", "MODE-A: the same with channel statistics, of an LDM's latents in place of VGG's maps");
    r.add<Cdga>("cdga", "cross-entropy on source images and their translations to the other source domains by an LDM");
    r.add<Fds>("fds",
               "images between each two source domains by an LDM, those that ERM is right and unsure of (WACV 2025)");
    r.add<DomainFusion>("domainfusion",
                        "latent distillation and online lightweight augmentation with a frozen LDM (ECCV 2024)");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
