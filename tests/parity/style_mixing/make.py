#!/usr/bin/env python3
"""Makes style_mixing.safetensors: MixStyle, EFDMix and the style search of MODE, written from the papers' formulas with
torch operations (float64). See PROVENANCE.md for names and shapes."""
import json
import pathlib
import struct

import torch

torch.manual_seed(2021)
torch.set_default_dtype(torch.float64)
tensors = {}


def save(path):
    header, data = {}, b""
    for name, value in tensors.items():
        value = value.detach().contiguous()
        kind = {torch.float64: "F64", torch.int64: "I64"}[value.dtype]
        raw = value.numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def feature_mixing():
    x = torch.randn(6, 3, 4, 5).clamp_min(0)  # as after ReLU: many equal values
    partner = torch.tensor([3, 0, 2, 5, 1, 4])
    own = torch.tensor([0.0, 1.0, 0.5, 0.03, 0.97, 0.25])
    cotangent = torch.randn_like(x)
    tensors.update({"mix.x": x, "mix.partner": partner, "mix.own": own, "mix.cotangent": cotangent})
    own = own.view(-1, 1, 1, 1)

    leaf = x.clone().requires_grad_()
    mean = leaf.mean((2, 3), keepdim=True).detach()
    deviation = (leaf.var((2, 3), unbiased=True, keepdim=True) + 1e-6).sqrt().detach()
    mixed = (leaf - mean) / deviation * (deviation * own + deviation[partner] * (1 - own))
    mixed = mixed + mean * own + mean[partner] * (1 - own)
    tensors["mixstyle.out"] = mixed
    tensors["mixstyle.gradient"] = torch.autograd.grad((mixed * cotangent).sum(), leaf)[0]

    leaf = x.clone().requires_grad_()
    rows = leaf.view(6, 3, -1)
    values, order = torch.sort(rows, dim=-1, stable=True)
    rank = order.argsort(-1)
    target = values[partner].gather(-1, rank)
    mixed = (rows + (target - rows.detach()) * (1 - own.view(-1, 1, 1))).view_as(leaf)
    tensors["efdmix.out"] = mixed
    tensors["efdmix.gradient"] = torch.autograd.grad((mixed * cotangent).sum(), leaf)[0]


def search(name, image_of, labels, head, images, styles=4, steps=10, rate=0.05):
    """Sign ascent on the mean cross-entropy of the linear classifier `head` on image_of(normalised weights)."""
    a = torch.full((images, styles), 1 / styles)
    course = []
    for _ in range(steps):
        a = a.detach().requires_grad_()
        weights = a / (a.sum(1, keepdim=True) + 1e-6)
        loss = torch.nn.functional.cross_entropy(image_of(weights).flatten(1) @ head.T, labels)
        sign = torch.autograd.grad(loss, a)[0].sign()
        move = (a.detach() + rate * sign - 1 / styles).clamp(-1, 1)
        a = (1 / styles + move).clamp(0, 1)
        course.append(a)
    weights = a / (a.sum(1, keepdim=True) + 1e-6)
    tensors[f"{name}.course"] = torch.stack(course)  # [steps, N, K], not normalised
    tensors[f"{name}.out"] = image_of(weights)


def mode():
    labels = torch.tensor([0, 3, 1, 2, 4, 0])
    style_index = torch.stack([torch.arange(6)] + [torch.randint(0, 6, (6,)) for _ in range(3)], 1)
    tensors.update({"mode.label": labels, "mode.style_index": style_index})

    image = torch.randn(6, 3, 8, 8)
    head = torch.randn(5, 3 * 8 * 8) * 0.2
    spectrum = torch.fft.fft2(image)
    amplitude, phase = spectrum.abs(), spectrum.angle()
    tensors.update({"mode_f.x": image, "mode_f.head": head})
    for gamma in (1.0, 0.6):

        def image_f(weights):
            mixed = torch.einsum("nk,nkchw->nchw", weights, amplitude[style_index])
            return torch.fft.ifft2(((1 - gamma) * amplitude + gamma * mixed) * torch.exp(1j * phase)).real

        search(f"mode_f.gamma{gamma}", image_f, labels, head, 6)

    feature = torch.randn(6, 4, 4, 4)
    head = torch.randn(5, 4 * 4 * 4) * 0.2
    mean = feature.mean((2, 3), keepdim=True)
    deviation = (feature.var((2, 3), unbiased=True, keepdim=True) + 1e-5).sqrt()
    content = (feature - mean) / deviation
    tensors.update({"mode_a.x": feature, "mode_a.head": head})
    for gamma in (1.0, 0.6):

        def image_a(weights):
            pick = lambda s: torch.einsum("nk,nkchw->nchw", weights, s[style_index])
            return gamma * (content * pick(deviation) + pick(mean)) + (1 - gamma) * feature

        search(f"mode_a.gamma{gamma}", image_a, labels, head, 6)


feature_mixing()
mode()
save(pathlib.Path(__file__).with_name("style_mixing.safetensors"))
