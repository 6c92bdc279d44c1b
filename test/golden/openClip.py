"""Tiny random encoders of pictures and texts as open_clip publishes them: timm's ViT beside a BERT, as BiomedCLIP has it.

Writes openClip/<name>/: the folder as it is published, and expected.safetensors: pixels and ids, unit vectors of both, vectors of
files of pictures/ and of four texts; of `config`, the gradient of every parameter.

    python openClip.py      needs open_clip_torch 3.3, timm 1.0, torchvision and Pillow 12
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from open_clip.model import CustomTextCLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch.nn.functional import normalize
from transformers import BertConfig, PreTrainedTokenizerFast

from architectures import draw
from vision import PICTURES, WORDS

HERE = Path(__file__).parent / "openClip"
MARKERS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = MARKERS + list("abcdeh,") + [f"##{c}" for c in "abcdeh"] + ["bad", "cab", "deed", "##ded", "to", "each", "and", "added", "bead"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
BERT = {"vocab_size": len(PIECES), "max_position_embeddings": 24, "pad_token_id": 0}


def vit(size, depth, inner):
    made = VisionTransformer(img_size=12, patch_size=4, embed_dim=size, depth=depth, num_heads=size // 64, mlp_ratio=inner / size)
    made.default_cfg = {}
    return made


@register_model
def vit_base_patch4_12(pretrained=False, **_):
    return vit(128, 2, 32)


@register_model
def vit_tiny_patch4_12(pretrained=False, **_):
    return vit(64, 1, 24)


# Name: the tower, the BERT, how it is projected, how pictures are prepared, the type of the weights.
FOLDERS = {
    "biomed": ("vit_base_patch4_12", BertConfig(**BERT, hidden_size=64, num_hidden_layers=1, num_attention_heads=1, intermediate_size=32),
               "mlp", {"mean": MEAN, "std": STD}, torch.float16),
    "config": ("vit_tiny_patch4_12", BertConfig(**BERT, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24),
               "linear", {"mean": MEAN, "std": STD, "interpolation": "bilinear", "resize_mode": "squash"}, torch.float32),
}


def tokenizer(folder):
    made = Tokenizer(models.WordPiece({p: i for i, p in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   mask_token="[MASK]")
    fast.save_pretrained(folder)
    return fast


def make(name, tower, bert, projection, preprocess, dtype):
    generator = torch.Generator().manual_seed(len(name))
    folder = HERE / name
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as own:
        bert.save_pretrained(own)
        text = {"hf_model_name": own, "hf_tokenizer_name": own, "hf_model_pretrained": False, "hf_proj_type": projection,
                "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 16}
        vision = {"timm_model_name": tower, "timm_model_pretrained": False, "timm_pool": "", "timm_proj": "linear", "image_size": 12}
        model = CustomTextCLIP(8, vision, text)
    draw(model, generator)
    weights = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    model.load_state_dict({k: v.float() for k, v in weights.items()})
    text |= {"hf_model_name": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract",
             "hf_tokenizer_name": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"}
    (folder / "open_clip_config.json").write_text(json.dumps(
        {"model_cfg": {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}, "preprocess_cfg": preprocess}, indent=1))
    if name == "config":
        bert.architectures = ["BertModel"]
        (folder / "config.json").write_text(json.dumps({**bert.to_dict(), "dtype": None}, indent=1))
    pixels = torch.randn((2, 3, 12, 12), generator=generator)
    ids = torch.randint(5, len(PIECES), (3, 10), generator=generator)
    ids[:, 0], ids[0, 9], ids[1, 5], ids[1, 6:], ids[2, 3], ids[2, 4:] = 2, 3, 3, 0, 3, 0
    image, words = model.encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    probes = [torch.randn(x.shape, generator=generator) for x in (image, words)]
    ((image * probes[0]).sum() + (words * probes[1]).sum()).backward()
    out = {"pixels": pixels, "ids": ids.float(), "image": image, "text": words, "image_probe": probes[0], "text_probe": probes[1]}
    if name == "config":
        out |= {f"gradient/{n}": p.grad for n, p in model.named_parameters() if p.grad is not None}
    with torch.no_grad():
        prepare = image_transform_v2(PreprocessCfg(**{"size": 12, **preprocess}), is_train=False)
        shown = torch.stack([prepare(Image.open(HERE.parent / "pictures" / one).convert("RGB")) for one in PICTURES])
        read = tokenizer(folder)(WORDS, padding="max_length", truncation=True, max_length=16, return_tensors="pt")["input_ids"]
        out |= {"prepared": shown, "files": model.encode_image(shown, normalize=True), "word_ids": read.float(),
                "words": model.encode_text(read, normalize=True)}
    save_file({k: v.detach().clone().contiguous() for k, v in out.items()}, folder / "expected.safetensors")
    assert set(load_file(folder / "open_clip_model.safetensors")) == set(model.state_dict())


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    for name, how in FOLDERS.items():
        make(name, *how)
