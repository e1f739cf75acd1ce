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
