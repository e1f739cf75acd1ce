"""Writes the reference numbers of this folder: `python3 make.py` with torch 1.13 and torchvision 0.14.

CLIP's image encoder is written here from its published description with torch.nn's own layers (Conv2d, LayerNorm,
MultiheadAttention, Linear); torchvision's part calls torchvision.
"""
import json
import struct

import torch
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

IMAGE, PATCH, WIDTH, HEADS, LAYERS, PROJECTION = 24, 8, 24, 12, 2, 16


def save_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):
        raw = tensor.detach().contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class QuickGelu(torch.nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.c_fc = torch.nn.Linear(WIDTH, 4 * WIDTH)
        self.gelu = QuickGelu()
        self.c_proj = torch.nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = torch.nn.MultiheadAttention(WIDTH, HEADS)
        self.ln_1 = torch.nn.LayerNorm(WIDTH)
        self.mlp = Mlp()
        self.ln_2 = torch.nn.LayerNorm(WIDTH)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.resblocks = torch.nn.Sequential(*[Block() for _ in range(LAYERS)])

    def forward(self, x):
        return self.resblocks(x)


class Visual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = torch.nn.Parameter(torch.randn(WIDTH))
        self.positional_embedding = torch.nn.Parameter(torch.randn((IMAGE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre = torch.nn.LayerNorm(WIDTH)
        self.transformer = Transformer()
        self.ln_post = torch.nn.LayerNorm(WIDTH)
        self.proj = torch.nn.Parameter(torch.randn(WIDTH, PROJECTION))

    def forward(self, x):
        x = self.conv1(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x).permute(1, 0, 2)).permute(1, 0, 2)
        return self.ln_post(x[:, 0]) @ self.proj


class Clip(torch.nn.Module):
    """The image encoder beside stand-ins for the text encoder, which must be passed over."""

    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.positional_embedding = torch.nn.Parameter(torch.randn(5, 8))
        self.text_projection = torch.nn.Parameter(torch.randn(8, PROJECTION))
        self.logit_scale = torch.nn.Parameter(torch.ones([]))
        self.token_embedding = torch.nn.Embedding(11, 8)
        self.ln_final = torch.nn.LayerNorm(8)

    def forward(self, image):
        return self.visual(image)


def transformers_names(visual):
    """The weights as transformers' CLIPVisionModelWithProjection names them."""
    out = {
        "vision_model.embeddings.class_embedding": visual["class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": visual["conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": visual["positional_embedding"],
        "vision_model.embeddings.position_ids": torch.arange((IMAGE // PATCH) ** 2 + 1)[None],
        "visual_projection.weight": visual["proj"].t(),
    }
    for kind in ("weight", "bias"):
        out[f"vision_model.pre_layrnorm.{kind}"] = visual[f"ln_pre.{kind}"]
        out[f"vision_model.post_layernorm.{kind}"] = visual[f"ln_post.{kind}"]
        for i in range(LAYERS):
            to, start = f"vision_model.encoder.layers.{i}", f"transformer.resblocks.{i}"
            for part, tensor in zip("qkv", visual[f"{start}.attn.in_proj_{kind}"].chunk(3)):
                out[f"{to}.self_attn.{part}_proj.{kind}"] = tensor
            out[f"{to}.self_attn.out_proj.{kind}"] = visual[f"{start}.attn.out_proj.{kind}"]
            out[f"{to}.layer_norm1.{kind}"] = visual[f"{start}.ln_1.{kind}"]
            out[f"{to}.layer_norm2.{kind}"] = visual[f"{start}.ln_2.{kind}"]
            out[f"{to}.mlp.fc1.{kind}"] = visual[f"{start}.mlp.c_fc.{kind}"]
            out[f"{to}.mlp.fc2.{kind}"] = visual[f"{start}.mlp.c_proj.{kind}"]
    return out


def make_clip():
    torch.manual_seed(61)
    model = Clip()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    image = torch.randn(3, 3, IMAGE, IMAGE, requires_grad=True)
    feature = model(image)
    (feature ** 2).mean().backward()
    visual = model.visual.state_dict()
    gradients = {f"grad.{name}": p.grad for name, p in model.visual.named_parameters()}
    save_safetensors("expected.safetensors", {"image": image, "feature": feature, "grad.image": image.grad, **gradients})
    torch.save(model.state_dict(), "openai.pt")
    save_safetensors("transformers.safetensors", transformers_names(visual))
    with torch.no_grad():
        torch.jit.trace(model.eval(), image).save("torchscript.pt")


def make_positions():
    """torchvision's weights for one image size, brought to another by torchvision."""
    torch.manual_seed(62)
    shape = dict(patch_size=8, num_layers=1, num_heads=12, hidden_dim=12, mlp_dim=48, num_classes=3)
    small = VisionTransformer(image_size=24, **shape)
    larger = interpolate_embeddings(40, 8, dict(small.state_dict()))
    renamed = {k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v for k, v in small.state_dict().items()}
    save_safetensors("vit_24px.safetensors", renamed)
    save_safetensors("vit_40px_position.safetensors", {"encoder.pos_embedding": larger["encoder.pos_embedding"]})


make_clip()
make_positions()
