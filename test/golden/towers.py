"""The towers of readers.py's models, trained: what transformers and PEFT compute of the folders that it wrote.

Writes towers/<name>/: expected.safetensors, with the gradients of the mean likelihood (of readers/<name>/expected.safetensors) for the
tower under gradient/; the adapter of "all-linear" as PEFT saves it; and under lora/ the logits with it and the gradients of what
it trains, by the names of the adapter's file.
"""

import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForImageTextToText

from architectures import EAGER

HERE = Path(__file__).parent
OUT = HERE / "towers"
NAMES = ["idefics3", "llava", "llava-siglip"]


def run(name, model):
    expected = load_file(HERE / "readers" / name / "expected.safetensors")
    pixels, ids = expected["pixels"].to(model.dtype), expected["ids"].long()
    given = pixels
    if not name.startswith("llava"):
        # Sequences of fewer pictures are padded with pictures of zeros.
        given = torch.stack([pixels[:2], torch.stack([pixels[2], torch.zeros_like(pixels[2])])])
    logits = model(input_ids=ids, pixel_values=given).logits
    cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    return logits.detach(), expected["logits"]


def opened(name):
    return AutoModelForImageTextToText.from_pretrained(HERE / "readers" / name, **EAGER).eval()


def whole(name):
    model = opened(name)
    logits, before = run(name, model)
    assert torch.allclose(logits, before, atol=1e-5)
    return {f"gradient/{n}": p.grad.clone() for n, p in model.named_parameters() if p.grad is not None and ".vision_" in n}


def adapted(name, folder):
    base = opened(name)
    torch.manual_seed(len(name))
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=6, target_modules="all-linear"))
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "lora_" in n:
                p.copy_(0.1 * torch.randn_like(p))
    model.peft_config["default"].base_model_name_or_path = f"../../readers/{name}"
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    saved = load_file(folder / "adapter_model.safetensors")
    model.double().eval()
    logits, _ = run(name, model)
    out = {"lora/logits": logits.float()}
    for n, p in model.named_parameters():
        if p.grad is not None and p.requires_grad:
            key = n.replace(".default", "")
            assert key in saved, key
            out[f"lora/gradient/{key.removeprefix('base_model.model.')}"] = p.grad.float()
    return out


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for name in NAMES:
        print(name)
        folder = OUT / name
        folder.mkdir(parents=True)
        out = whole(name) | adapted(name, folder)
        save_file({k: v.contiguous() for k, v in out.items()}, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
