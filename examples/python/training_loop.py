"""DomainFusion in a plain PyTorch loop: the steps of `domainfusion train`, written out.

    python3 examples/python/training_loop.py --data set --test-domain sketch --ldm assets/demo_ldm --out loop \\
        --recipe recipes/demo_domainfusion.toml

With equal options and threads (`domainfusion train --threads N`, here --threads N) a CPU gives the weights and losses of the program's
run, bit for bit: batches, draws, network and optimizer are the program's own. With torch.optim.Adam in the optimizer's place they are
equal within rounding: it rounds in another order.
"""

import argparse
import ast
import pathlib

import torch
from torch.nn.functional import cross_entropy

import domainfusion as df


def distillation_of(sources, ldm):
    """The teacher, ready for its first step; None where it is off, or where this LDM would lower confidence."""
    wanted = sources.config["domainfusion"]["latent_distillation"]
    if wanted is False:
        return None
    teacher = df.LatentDistillation(ldm, sources.class_words, source=sources.train, seed=sources.config["seed"],
                                    **sources.config["distillation"])
    if wanted == "auto" and teacher.premise()["negative_share"] < 0.5:
        print("distillation is off: to this LDM more confident images are no easier to denoise")
        return None
    teacher.prepare()
    return teacher


def accuracy(classifier, images, size_px):
    """Mean over the domains, as the program validates."""
    classifier.eval()
    right = {domain: [] for domain in images.domain_names}
    loader = torch.utils.data.DataLoader(images.resized(size_px, view="evaluation"), batch_size=64)
    with torch.no_grad():
        for batch, labels, domains in loader:
            for correct, domain in zip(classifier(batch).argmax(1) == labels, domains):
                right[images.domain_names[domain]].append(correct.item())
    classifier.train()
    return sum(sum(list_) / len(list_) for list_ in right.values()) / len(right)


def train(sources, ldm, folder, seen=lambda step, loss: None):
    """Returns the trained classifier. `seen` is told of every step's loss."""
    config = sources.config
    sources.check_ldm(ldm)
    classifier = sources.classifier().train()
    optimizer = sources.optimizer(classifier)
    raw_batches = sources.loader("raw")
    teacher = distillation_of(sources, ldm)
    rounds = df.Rounds(sources, ldm, pathlib.Path(folder) / "synthetic") if config["domainfusion"]["online_augmentation"] else None
    synthetic_batches = None
    for step in range(sources.total_steps):
        if rounds is not None and step in rounds.steps:
            rounds.run(rounds.steps.index(step))
            synthetic_batches = rounds.loader("synthetic") if len(rounds) else None
        classifier.begin_step(config["seed"], step)
        raw = raw_batches.batch(step)
        synthetic = synthetic_batches.batch(step) if synthetic_batches else None
        # One batch for both, so that batch norm sees one batch.
        logits = classifier(torch.cat([raw.images, synthetic.images]) if synthetic else raw.images)
        count = len(raw.labels)
        loss = cross_entropy(logits[:count], raw.labels)
        if synthetic:
            loss = loss + config["domainfusion"]["lambda_syn"] * cross_entropy(logits[count:], synthetic.labels)
        if teacher:
            loss = loss + teacher(logits[:count], raw.labels, step=step, domains=raw.domains, indices=raw.indices)
        optimizer.zero_grad()
        loss.backward()
        optimizer.lr = sources.lr_at(step)
        optimizer.step()
        seen(step, loss.item())
    return classifier


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder <domain>/<class>/<image>")
    parser.add_argument("--test-domain", required=True)
    parser.add_argument("--ldm", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for synthetic images and weights")
    parser.add_argument("--recipe", default="")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of recipes, its value as in Python")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    df.set_threads(arguments.threads)
    options = {"algorithm": "domainfusion", "ldm": arguments.ldm}
    for assignment in arguments.set:
        key, value = assignment.split("=", 1)
        try:
            options[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[key] = {"true": True, "false": False}.get(value, value)
    sources = df.Sources(arguments.data, arguments.test_domain, recipe=arguments.recipe, options=options)
    plain = sources.config["domainfusion"]["synthetic_repeats"] == 0 and sources.config["domainfusion"]["shared_styles"] == "none"
    if not plain or sources.config["distillation"]["images"] != "raw":
        parser.error("this loop knows synthetic images as whole minibatches and distils raw ones: leave synthetic_repeats, "
                     "shared_styles and distillation.images at their defaults")
    arguments.out.mkdir(parents=True, exist_ok=True)
    ldm = df.LatentDiffusion.load(arguments.ldm)
    classifier = train(sources, ldm, arguments.out, lambda step, loss: print(f"step {step}: loss {loss:.4f}"))
    print(f"source validation {100 * accuracy(classifier, sources.validation, classifier.image_size_px):.1f} %")
    torch.save(classifier.state_dict(), arguments.out / "last.pth")


if __name__ == "__main__":
    main()
