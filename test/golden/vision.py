"""Tiny random encoders of pictures as transformers saves them, and what it computes with them.

Writes vision/<name>/: the checkpoint's own files, and expected.safetensors: pixels (and ids of texts), unit vectors, and
the gradients of their sum weighed by `probe`.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize
from transformers import (
    BitImageProcessor, CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config,
    Dinov2Model, SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipVisionConfig, SiglipVisionModel, ViTConfig,
    ViTForImageClassification, ViTImageProcessor, ViTModel,
)

from architectures import EAGER, VOCABULARY, draw

HERE = Path(__file__).parent / "vision"
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
V = {**SIZES, "image_size": 12, "patch_size": 4}
# Of other sizes than pictures, where the family allows it.
T = {"hidden_size": 8, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": VOCABULARY,
     "max_position_embeddings": 10, "bos_token_id": 38, "eos_token_id": 39, "pad_token_id": 0}
SQUARE = {"size": {"height": 12, "width": 12}}
CROP = {"size": {"shortest_edge": 12}, "crop_size": {"height": 12, "width": 12}}

# Name: config, model, processor, height and width of pictures, options of the call, which vector.
MODELS = {
    "vit": (ViTConfig(**V), ViTModel, ViTImageProcessor(**SQUARE), (12, 12), {}, "class"),
    "vit-pooler": (ViTConfig(**V, qkv_bias=False, hidden_act="gelu_new"), ViTModel, ViTImageProcessor(**SQUARE), (12, 12), {},
                   "pooler"),
    "vit-classifier": (ViTConfig(**V, num_labels=3), ViTForImageClassification, ViTImageProcessor(**SQUARE), (12, 12), {}, "class"),
    "vit-wide": (ViTConfig(**{**V, "image_size": [8, 16]}), ViTModel, ViTImageProcessor(size={"height": 8, "width": 16}), (8, 16), {},
                 "class"),
    "vit-larger": (ViTConfig(**V), ViTModel, ViTImageProcessor(size={"height": 20, "width": 25}), (20, 25),
                   {"interpolate_pos_encoding": True}, "class"),
    "dinov2": (Dinov2Config(**{**V, "image_size": 20}, mlp_ratio=2), Dinov2Model, BitImageProcessor(**CROP), (12, 12), {}, "class"),
    "dinov2-gated": (Dinov2Config(**{**V, "image_size": 14}, mlp_ratio=3, use_swiglu_ffn=True, layerscale_value=0.5), Dinov2Model,
                     BitImageProcessor(**CROP), (12, 12), {}, "class"),
    "clip": (CLIPConfig(text_config=T, vision_config=V, projection_dim=6), CLIPModel, CLIPImageProcessor(**CROP), (12, 12), {}, "dual"),
    "clip-greatest": (CLIPConfig(text_config={**T, "eos_token_id": 2}, vision_config=V, projection_dim=6), CLIPModel,
                      CLIPImageProcessor(**CROP), (12, 12), {}, "dual"),
    "clip-vision": (CLIPVisionConfig(**V, projection_dim=6), CLIPVisionModelWithProjection, CLIPImageProcessor(**CROP), (12, 12), {},
                    "projected"),
    "siglip": (SiglipConfig(text_config={**T, "projection_size": 16}, vision_config=V), SiglipModel, SiglipImageProcessor(**SQUARE),
               (12, 12), {}, "dual"),
    "siglip-vision": (SiglipVisionConfig(**{**V, "image_size": 14}), SiglipVisionModel,
                      SiglipImageProcessor(size={"height": 14, "width": 14}), (14, 14), {}, "pooler"),
}


def texts(name, generator):
    """Of one length, as each model takes them: CLIP's with their end at different places, SigLIP's padded."""
    ids = torch.randint(4, VOCABULARY - 2, (3, 10), generator=generator)
    if name.startswith("clip"):
        ids[:, 0] = T["bos_token_id"]
        ids[0, 9], ids[1, 6:], ids[2, 3] = 39, 39, 39
    else:
        ids[1, 6:] = 0
    return ids


def picture_vector(model, pixels, options, which):
    inner = model.base_model
    if which == "dual":
        out = model.get_image_features(pixel_values=pixels)
        return out if torch.is_tensor(out) else out.pooler_output
    if which == "projected":
        return model(pixel_values=pixels).image_embeds
    out = inner(pixel_values=pixels, **options)
    return out.last_hidden_state[:, 0] if which == "class" else out.pooler_output


def text_vector(model, ids):
    out = model.get_text_features(input_ids=ids)
    return out if torch.is_tensor(out) else out.pooler_output


def run(name, model, size, options, which, generator):
    pixels = torch.randn((2, 3, *size), generator=generator)
    image = normalize(picture_vector(model, pixels, options, which), dim=-1)
    out = {"pixels": pixels, "image": image.detach(), "image_probe": torch.randn(image.shape, generator=generator)}
    loss = (image * out["image_probe"]).sum()
    if which == "dual":
        ids = texts(name, generator)
        text = normalize(text_vector(model, ids), dim=-1)
        out |= {"ids": ids.float(), "text": text.detach(), "text_probe": torch.randn(text.shape, generator=generator)}
        loss = loss + (text * out["text_probe"]).sum()
    loss.backward()
    return out


def make(name, config, kind, processor, size, options, which):
    generator = torch.Generator().manual_seed(len(name))
    folder = HERE / name
    model = draw(kind._from_config(config, **EAGER), generator)
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    processor.save_pretrained(folder)
    expected = run(name, model, size, options, which, generator)
    # Under the names of the file, which may differ from those in memory.
    saved = load_file(folder / "model.safetensors")
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert set(grads) <= set(saved), set(grads) - set(saved)
    expected |= {f"gradient/{n}": g.clone() for n, g in grads.items()}
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for name, how in MODELS.items():
        make(name, *how)


if __name__ == "__main__":
    main()
