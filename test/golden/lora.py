"""Adapters on three small models, with PEFT: writes lora/ (model folders and adapters) and what they compute.

    python lora.py          model folders, adapters that PEFT saves, their outputs and gradients: lora.safetensors
    node lora.ts            the adapters *-ours, as a checkpoint of ours has them
    python lora.py ours     the outputs of those, as PEFT loads them: lora-ours.safetensors
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel, BertPreTrainedModel, LlamaConfig, LlamaForCausalLM

FOLDER = Path(__file__).parent / "lora"
torch.manual_seed(7)

SIZES = dict(vocab_size=24, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=32, initializer_range=0.3)
IDS = torch.tensor([[2, 5, 9, 14, 20, 7, 3], [2, 21, 8, 8, 1, 11, 3]])


class ColBert(BertPreTrainedModel):
    """BERT under a linear map, as ColBERT's checkpoints have it; rows of length 1."""

    def __init__(self, config):
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.linear = nn.Linear(config.hidden_size, config.dim, bias=False)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **_):
        return F.normalize(self.linear(self.bert(input_ids, attention_mask).last_hidden_state), dim=-1)


def llama(tied):
    return LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=2, tie_word_embeddings=tied, bos_token_id=2,
                                        eos_token_id=3, pad_token_id=0))


def colbert():
    return ColBert(BertConfig(**SIZES, dim=8, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))


CASES = {
    "llama": (lambda: llama(False), dict(
        r=4, lora_alpha=8, modules_to_save=["embed_tokens", "norm"],
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"])),
    "tied": (lambda: llama(True), dict(
        r=3, lora_alpha=4, use_rslora=True, modules_to_save=["norm"],
        target_modules=["q_proj", "embed_tokens", "lm_head"])),
    "colbert": (colbert, dict(
        r=2, lora_alpha=2, target_modules=["query", "key", "value", "dense", "word_embeddings"],
        modules_to_save=["linear"], alpha_pattern={"layer.1.output.dense": 3}, rank_pattern={"query": 5})),
}


def small(model, scale=0.3):
    """Weights that leave no term out, of all that learns."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad and ("lora_" in name or p.dim() == 1):
                p.copy_(scale * torch.randn_like(p) + (1 if "norm" in name.lower() and name.endswith("weight") else 0))


def outputs(model):
    model.eval()
    out = model(input_ids=IDS)
    return out.logits if hasattr(out, "logits") else out


def loss(out):
    """Of a decoder the mean likelihood of the next tokens, of an encoder a sum that weighs every element differently."""
    if out.shape[-1] == SIZES["vocab_size"]:
        return F.cross_entropy(out[:, :-1].flatten(0, 1), IDS[:, 1:].flatten())
    return (out * torch.arange(out.numel()).view(out.shape).div(out.numel()).sin()).sum()


def stored(name):
    """A parameter's name in the adapter's file, without PEFT's prefix."""
    return (name.removeprefix("base_model.model.").replace(".modules_to_save.default", "").replace(".default", ""))


def tokenizer():
    """Words w0, w1, ...: nothing here is read as text, but a model folder has one."""
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
            "model": {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(SIZES["vocab_size"])},
                      "unk_token": "w0"}}


def save_base(model, folder):
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()) + "\n")
    config = json.loads((folder / "config.json").read_text())
    if "rope_parameters" in config:
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config.pop("transformers_version")
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    (folder / "generation_config.json").unlink(missing_ok=True)


def save_adapter(model, folder):
    model.save_pretrained(folder)
    (folder / "README.md").unlink()


def ours():
    out = {}
    for name, (make, _) in CASES.items():
        base = type(make()).from_pretrained(FOLDER / name)
        model = PeftModel.from_pretrained(base, FOLDER / f"{name}-ours").double()
        out[f"{name}/outputs"] = outputs(model).detach().float()
    save_file(out, FOLDER.parent / "lora-ours.safetensors")


def peft():
    shutil.rmtree(FOLDER, ignore_errors=True)
    out = {}
    for name, (make, settings) in CASES.items():
        base = make()
        small(base)
        save_base(base, FOLDER / name)
        task = None if name == "colbert" else "CAUSAL_LM"
        model = get_peft_model(base, LoraConfig(task_type=task, **settings))
        small(model)
        model.peft_config["default"].base_model_name_or_path = f"../{name}"
        save_adapter(model, FOLDER / f"{name}-peft")
        model.double()
        value = outputs(model)
        out[f"{name}/outputs"] = value.detach().float()
        loss(value).backward()
        for path, p in model.named_parameters():
            if p.requires_grad:
                out[f"{name}/gradient/{stored(path)}"] = p.grad.float().contiguous()
    save_file(out, FOLDER.with_suffix(".safetensors"))


if __name__ == "__main__":
    ours() if sys.argv[1:] == ["ours"] else peft()
