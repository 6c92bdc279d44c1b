"""Tiny random encoders of pictures as transformers saves them, and what it computes with them.

Writes vision/<name>/: the checkpoint's own files, and expected.safetensors: pixels (and ids of texts), unit vectors, and
the gradients of their sum weighed by `probe`; and the vectors of files of pictures/ and of four texts.
"""

import json
import shutil
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch.nn.functional import normalize
from transformers import (
    BitImageProcessor, CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config,
    Dinov2Model, PreTrainedTokenizerFast, SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipVisionConfig, SiglipVisionModel, ViTConfig,
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


WORDS = ["abed  cab", "A BAD DEED", "bead", "dabbed a decade, added a cab and bade a bee accede to each"]
PICTURES = ["rgb.png", "gray.jpg", "wide.jpg", "turned-1.jpg"]


def tokenizer(folder, ends):
    """CLIP's pieces over five letters: 38 tokens and two marks, of which the last ends a text. SigLIP's ends are its padding."""
    made = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    pattern = Regex(r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""")
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(pattern, behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.train_from_iterator(["abed cab bad deed dabbed decade added bade bee accede each, a bead dead cede ace"] * 3,
                             trainers.BpeTrainer(vocab_size=38, end_of_word_suffix="</w>", show_progress=False))
    learned = json.loads(made.to_str())["model"]
    vocabulary = learned["vocab"] | {"<|startoftext|>": 38, "<|endoftext|>": 39}
    assert len(vocabulary) == 40, len(vocabulary)
    made.model = models.BPE(vocab=vocabulary, merges=[tuple(m) for m in learned["merges"]], unk_token="<|endoftext|>",
                            end_of_word_suffix="</w>", continuing_subword_prefix="")
    made.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    if ends:
        made.post_processor = processors.RobertaProcessing(("<|endoftext|>", 39), ("<|startoftext|>", 38), trim_offsets=False,
                                                           add_prefix_space=False)
    else:
        made.post_processor = processors.TemplateProcessing("$A <|endoftext|>", special_tokens=[("<|endoftext|>", 39)])
    made.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|startoftext|>", eos_token="<|endoftext|>",
                                   unk_token="<|endoftext|>", pad_token="<|endoftext|>", model_max_length=10)
    fast.save_pretrained(folder)
    return fast


@torch.no_grad()
def whole(name, folder, model, processor, options, which):
    """Vectors of files of pictures and of texts, from nothing but the folder."""
    opened = [Image.open(HERE.parent / "pictures" / one).convert("RGB") for one in PICTURES]
    pixels = torch.cat([processor(one, return_tensors="pt", input_data_format="channels_last")["pixel_values"] for one in opened])
    out = {"files": normalize(picture_vector(model, pixels, options, which), dim=-1)}
    if which == "dual":
        fast = tokenizer(folder, name.startswith("clip"))
        ids = fast(WORDS, padding="max_length", truncation=True, max_length=10, return_tensors="pt")["input_ids"]
        out |= {"word_ids": ids.float(), "words": normalize(text_vector(model, ids), dim=-1)}
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
    expected |= whole(name, folder, model, processor, options, which)
    expected |= {f"gradient/{n}": g.clone() for n, g in grads.items()}
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for name, how in MODELS.items():
        make(name, *how)


if __name__ == "__main__":
    main()
