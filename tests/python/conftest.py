import os
import pathlib
import subprocess

import pytest
import torch

import domainfusion

ROOT = pathlib.Path(os.environ["DOMAINFUSION_ROOT"])
PROGRAM = os.environ["DOMAINFUSION_BINARY"]
TINY_LDM = ROOT / "tests" / "parity" / "sd15-tiny" / "pipeline"

# Entries of ctest run side by side, and equal bits need equal threads.
domainfusion.set_threads(1)
torch.manual_seed(0)


def run(*arguments):
    """Runs the program with one thread, as the tests compute here."""
    command = [PROGRAM, "--threads", "1", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def tiny_ldm():
    return domainfusion.LatentDiffusion.load(TINY_LDM)


DEMO_LDM = ROOT / "assets" / "demo_ldm"
# A run of seconds: eight steps, two rounds of two images.
SMALL = {
    "algorithm": "domainfusion",
    "ldm": str(DEMO_LDM),
    "device": "cpu",
    "loader.image_size_px": 32,
    "loader.batch_size": 4,
    "classifier.stem": "small",
    "classifier.width": 8,
    "optimizer.lr": 0.003,
    "optimizer.decay": "linear",
    "epochs": 0,
    "steps": 8,
    "checkpoint_frequency": 8,
    "augmentation.budget_share": 0.06,
    "augmentation.every_epochs": 1,
    "augmentation.candidates": 2,
    "augmentation.steps": 4,
    "augmentation.picture_rows": 1,
    "domainfusion.latent_distillation": True,
    "distillation.encoder": "exact",
    "distillation.fraction": 0.5,
}


def as_arguments(options):
    """For the program: --set KEY=VALUE."""
    word = lambda value: str(value).lower() if isinstance(value, bool) else str(value)
    return [argument for key, value in options.items() for argument in ("--set", f"{key}={word(value)}")]


@pytest.fixture(scope="session")
def demo_set(tmp_path_factory):
    """The embedded set with four images of each class, three of sketches."""
    folder = tmp_path_factory.mktemp("data") / "set"
    run("demo-data", folder, "--set", "images_per_class=4", "--set", "sketch_images_per_class=3")
    return folder


@pytest.fixture(scope="session")
def demo_ldm():
    return domainfusion.LatentDiffusion.load(DEMO_LDM)


@pytest.fixture(scope="session")
def finished_run(demo_set, tmp_path_factory):
    """A run of the program with the options SMALL."""
    folder = tmp_path_factory.mktemp("runs") / "domainfusion"
    run("train", "--data", demo_set, "--test-domain", "sketch", "--out", folder, *as_arguments(SMALL))
    return folder
