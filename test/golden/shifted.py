"""Shifted sparse attention and position interpolation in transformers' Llama: shifted.json, shifted.safetensors.

Attention is a mask over the whole sequence, another for each half of the heads; nothing is cut, shifted or joined.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from models import draw

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)

N = 16
LENGTHS = [16, 11]

shared = {
    "vocab_size": 20, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2,
    "max_position_embeddings": 8, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
    "rope_scaling": {"type": "linear", "factor": 2.0}, "pad_token_id": 0, "eos_token_id": 3,
}
# Fewer key heads than query heads, and an odd number of them, of which the halves of the heads share one.
models = {
    "grouped": {**shared, "num_attention_heads": 4, "num_key_value_heads": 2},
    "odd": {**shared, "num_attention_heads": 6, "num_key_value_heads": 3},
}


def mask(heads):
    """0 where a query sees a key, -inf elsewhere: [rows, heads, N, N]. Padding sees itself, lest a row be empty."""
    group = N // 4
    seen = torch.zeros(len(LENGTHS), heads, N, N, dtype=torch.bool)
    for r, length in enumerate(LENGTHS):
        for h in range(heads):
            shift = 0 if h < heads // 2 else group // 2
            for i in range(N):
                for j in range(i + 1):
                    same = (i - shift) // group == (j - shift) // group
                    seen[r, h, i, j] = i == j or (same and j < length)
    return torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)


def main():
    rng = np.random.default_rng(3)
    out = {}
    ids = torch.tensor(rng.integers(4, shared["vocab_size"], (len(LENGTHS), N)))
    for r, length in enumerate(LENGTHS):
        ids[r, length:] = 0
    for name, config in models.items():
        model = LlamaForCausalLM(LlamaConfig(**config, attn_implementation="eager")).double().train()
        draw(model, rng, 0.4)
        out |= {f"{name}/initial/{path}": p.detach().float().clone() for path, p in model.named_parameters()}
        logits = model(ids, attention_mask=mask(config["num_attention_heads"]), use_cache=False).logits
        nll = torch.cat([F.cross_entropy(logits[r, : n - 1], ids[r, 1:n], reduction="none")
                         for r, n in enumerate(LENGTHS)])
        nll.sum().backward()
        out[f"{name}/nll"] = nll.detach().float()
        out |= {f"{name}/gradient/{path}": p.grad.float() for path, p in model.named_parameters()}
    save_file(out, HERE / "shifted.safetensors")
    document = {"models": models, "ids": ids.tolist(), "lengths": LENGTHS}
    (HERE / "shifted.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
