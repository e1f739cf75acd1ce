"""DomainFusion as an algorithm of DomainBed, whose train script runs unchanged:

    PYTHONPATH=DomainBed python3 examples/python/domainbed_algorithm.py --data_dir SETS --dataset PACS --test_envs 3 \\
        --algorithm DomainFusion \\
        --hparams '{"ldm": "ldm", "classes": ["dog", "elephant", …], "domains": ["painting", "cartoon", "photo"]}'

DomainBed gives an algorithm normalised, augmented minibatches and neither names nor files, so: `classes` are the names by label;
`domains` say what prompts call the source domains, in the order of the minibatches (the target's words must not be among them: nothing
here can check that); distillation sees the augmented views; and images are taken for candidates from the minibatch at hand.
"""

import runpy

import torch
import torch.nn.functional as F
from domainbed import algorithms

import domainfusion as df


class DomainFusion(algorithms.ERM):
    """Hyper-parameters beyond ERM's, with their defaults: see DEFAULTS; `ldm`, `classes` and `domains` have none."""

    DEFAULTS = {
        "prompt": "a {class}, {domain}",
        "distillation_share": 0.3,  # of cross-entropy's gradient; 0: off
        "distillation_fraction": 0.25,  # of the batch that enters the LDM
        "lambda_syn": 1.0,
        "round_every": 300,  # steps
        "round_images": 4,  # of the minibatch that a round covers
        "candidates": 4,
        "strength": 0.5,
        "ldm_steps": 20,
        "guidance": 5.0,
        "memory": 256,  # newest synthetic images that are kept
    }

    def __init__(self, input_shape, num_classes, num_domains, hparams):
        for name in ("ldm", "classes", "domains"):
            if name not in hparams:
                raise ValueError(f"DomainFusion needs the hyper-parameter '{name}': give it with --hparams")
        if len(hparams["classes"]) != num_classes or len(hparams["domains"]) != num_domains:
            raise ValueError(f"classes, domains: expected {num_classes} names and {num_domains}, those of the source domains")
        hparams = {**self.DEFAULTS, **hparams}
        super().__init__(input_shape, num_classes, num_domains, hparams)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.ldm = df.LatentDiffusion.load(hparams["ldm"], device=device)
        self.teacher = None
        if hparams["distillation_share"] > 0:
            self.teacher = df.LatentDistillation(self.ldm, hparams["classes"], view="augmented", share=hparams["distillation_share"],
                                                 fraction=hparams["distillation_fraction"])
        self.fourier = df.Decomposition("fourier")
        self.images, self.labels = [], []  # synthetic ones, normalised, newest last
        self.step = 0

    def update(self, minibatches, unlabeled=None):
        x = torch.cat([x for x, y in minibatches])
        y = torch.cat([y for x, y in minibatches])
        plain = df.denormalise(x).clamp(0, 1)
        if self.step % self.hparams["round_every"] == 0:
            self.run_round(plain, minibatches)
        generator = torch.Generator().manual_seed(self.step)
        drawn = torch.randint(len(self.images), (len(y) // len(minibatches),), generator=generator).tolist() if self.images else []
        logits = self.predict(torch.cat([x, *[self.images[i][None].to(x) for i in drawn]]))
        loss = loss_raw = F.cross_entropy(logits[: len(y)], y)
        if drawn:
            labels = torch.tensor([self.labels[i] for i in drawn], device=y.device)
            loss = loss + self.hparams["lambda_syn"] * F.cross_entropy(logits[len(y) :], labels)
        if self.teacher:
            loss = loss + self.teacher(logits[: len(y)], y, images=plain, step=self.step)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return {"loss": loss.item(), "loss_raw": loss_raw.item(), "synthetic": len(self.images)}

    def run_round(self, plain, minibatches):
        """A new image of each of some rows: the content of the candidate that kept most of it, in the style of the one that is least
        like the row's own."""
        domain_of = [domain for domain, (x, y) in enumerate(minibatches) for _ in y]
        labels = torch.cat([y for x, y in minibatches]).tolist()
        generator = torch.Generator().manual_seed(self.step)
        size = (self.ldm.image_size_px,) * 2
        for row in torch.randperm(len(labels), generator=generator)[: self.hparams["round_images"]].tolist():
            image = F.interpolate(plain[row : row + 1], size, mode="bilinear", antialias=True).clamp(0, 1)
            candidates = self.ldm.image_to_image(
                image.repeat(self.hparams["candidates"], 1, 1, 1),
                self.prompts(labels[row], domain_of[row]),
                strength=self.hparams["strength"], steps=self.hparams["ldm_steps"], guidance_scale=self.hparams["guidance"],
                seed=self.step, ids=[row * self.hparams["candidates"] + k for k in range(self.hparams["candidates"])],
            ).to(image)
            own, others = self.fourier.decompose(image), self.fourier.decompose(candidates)
            chosen = self.fourier.select(own, others)
            made = self.fourier.fused(own, others[chosen["style"]], others[chosen["content"]])
            made = F.interpolate(made, plain.shape[-2:], mode="bilinear", antialias=True)
            self.images.append(df.normalise(made)[0].cpu())
            self.labels.append(labels[row])
        del self.images[: -self.hparams["memory"]], self.labels[: -self.hparams["memory"]]

    def prompts(self, label, domain):
        """Towards the other source domains in turn, then the image's own."""
        domains = self.hparams["domains"]
        order = [name for place, name in enumerate(domains) if place != domain] + [domains[domain]]
        fill = lambda name: self.hparams["prompt"].replace("{class}", self.hparams["classes"][label]).replace("{domain}", name)
        return [fill(order[k % len(order)]) for k in range(self.hparams["candidates"])]


algorithms.DomainFusion = DomainFusion

if __name__ == "__main__":
    runpy.run_module("domainbed.scripts.train", run_name="__main__", alter_sys=True)
