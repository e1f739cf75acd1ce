"""Writes the checkpoints of this folder with torch.save: see PROVENANCE.md."""
import argparse
import collections
import os
import sys
import types

import numpy
import torch


def content():
    return collections.OrderedDict(
        matrix=torch.arange(12.0).view(3, 4),
        half=torch.tensor([1.5, -2.0]).half(),
        brain=torch.tensor([1.0, 0.5, -3.0]).bfloat16(),
        double=torch.tensor([0.1], dtype=torch.float64),
        count=torch.tensor(7),
        mask=torch.tensor([True, False]),
        bytes=torch.tensor([1, 255], dtype=torch.uint8),
        empty=torch.zeros(0, 3),
    )


def shared():
    base = torch.arange(12.0)
    return {
        "base": base,
        "tied": base,
        "slice": base[2:5],
        "transposed": base.view(3, 4).t(),
        "every_other": base[1::2],
        "column": base.view(3, 4)[:, 1:2],
    }


def lightning_class():
    """A class under the name that Stable Diffusion's checkpoints have, without the package."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks", module.__name__):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[module.__name__] = module
    kind = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = kind
    return kind


def lightning():
    weights = content()
    return {
        "epoch": 0,
        "global_step": 470000,
        "pytorch-lightning_version": "1.4.2",
        "state_dict": weights,
        "callbacks": {
            lightning_class(): {
                "monitor": "val/loss_simple_ema",
                "best_model_score": torch.tensor(0.15),
                "current_score": numpy.float64(0.25),
                "best_model_path": "/nowhere/last.ckpt",
            }
        },
        "optimizer_states": [
            {"state": {0: {"step": 4, "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]}
        ],
        "lr_schedulers": [{"base_lrs": [1e-4], "last_epoch": 470000, "lr_lambdas": [None]}],
        "arguments": argparse.Namespace(lr=0.1),
        "random": numpy.arange(3),
    }


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def legacy(value, name):
    torch.save(value, name, _use_new_zipfile_serialization=False)


module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
with torch.no_grad():
    for parameter in module.parameters():
        parameter.copy_(torch.arange(float(parameter.numel())).view_as(parameter))

torch.save({"state_dict": content(), "epoch": 3, "global_step": 875000}, "zip.pth")
legacy({"state_dict": content(), "epoch": 3, "global_step": 875000}, "legacy.pth")
torch.save(shared(), "shared.pth")
legacy(shared(), "shared_legacy.pth")
torch.save(module.state_dict(), "module_state.pth")
torch.save({"ema": dict(module.named_parameters())}, "parameters.pth")
torch.save(lightning(), "lightning.ckpt")
torch.save(module, "whole_module.pth")
torch.save({"w": torch.ones(2), "x": Calls(os.system, "echo executed")}, "os_system.pth")
legacy({"w": torch.ones(2), "x": Calls(os.system, "echo executed")}, "os_system_legacy.pth")
torch.save({"w": torch.ones(2), "x": Calls(eval, "print('executed')")}, "eval.pth")
