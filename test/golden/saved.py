"""The model folders that saved.ts wrote, as transformers loads them: writes saved.safetensors, what they compute.

Each file of weights must be, byte for byte, what the safetensors library writes of the same tensors.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from lora import IDS

FOLDER = Path(__file__).parent / "saved"


def check_files(folder):
    files = sorted(folder.glob("*.safetensors"))
    stored = {}
    for path in files:
        tensors = load_file(path)
        assert save(tensors, metadata={"format": "pt"}) == path.read_bytes(), path
        stored |= {name: path.name for name in tensors}
    index = folder / "model.safetensors.index.json"
    assert index.exists() == (len(files) > 1)
    if index.exists():
        told = json.loads(index.read_text())
        sizes = [t.numel() * t.element_size() for path in files for t in load_file(path).values()]
        assert told["weight_map"] == stored and told["metadata"]["total_size"] == sum(sizes)


def generates(folder):
    """Of a decoder the config of generation, and a tokenizer that makes the ids we made."""
    config = GenerationConfig.from_pretrained(folder)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (2, 3, 0)
    assert AutoTokenizer.from_pretrained(folder)("w5 w9 w20")["input_ids"] == [5, 9, 20]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert model.generate(IDS[:1], max_new_tokens=4, do_sample=False).shape[1] > IDS.shape[1]
    return model


def main():
    out = {}
    for name in ("llama", "tied"):
        check_files(FOLDER / name)
        model = generates(FOLDER / name).double().eval()
        assert name == "llama" or model.lm_head.weight is not model.model.embed_tokens.weight
        out[f"{name}/outputs"] = model(IDS).logits.detach().float()
    check_files(FOLDER / "colbert")
    assert AutoConfig.from_pretrained(FOLDER / "colbert").architectures == ["HF_ColBERT"]
    encoder = AutoModel.from_pretrained(FOLDER / "colbert", add_pooling_layer=False).double().eval()
    with safe_open(FOLDER / "colbert" / "model.safetensors", "pt") as file:
        head = file.get_tensor("linear.weight").double()
    vectors = encoder(IDS).last_hidden_state @ head.T
    out["colbert/outputs"] = F.normalize(vectors, dim=-1).detach().float()
    save_file(out, FOLDER.with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
