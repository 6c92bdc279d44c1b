"""Tiny random checkpoints of every architecture as transformers saves them, and what it computes with them.

Writes architectures/<name>/: the checkpoint's own files, and expected.safetensors: for decoders the logits, the
likelihood of each next token and the gradients of its mean; for encoders the unit vectors of the tokens and the gradients
of their sum weighed by `probe`.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, linear, normalize
from transformers import (
    BertConfig, BertForMaskedLM, BertModel, DebertaConfig, DebertaModel, DebertaV2Config, DebertaV2ForMaskedLM, DebertaV2Model, DistilBertConfig, DistilBertModel, Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig, GemmaForCausalLM,
    LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, ModernBertConfig, ModernBertForMaskedLM,
    ModernBertModel, MPNetConfig, MPNetModel, Phi3Config, Phi3ForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
    Qwen3ForCausalLM, RobertaConfig, RobertaForMaskedLM, XLMRobertaConfig, XLMRobertaModel,
)

HERE = Path(__file__).parent / "architectures"
VOCABULARY = 40
EAGER = {"attn_implementation": "eager"}


def draw(model, generator):
    """Weights large enough for every gradient to matter; scales of norms around what they start at."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            start = p[0].item() if p.dim() == 1 and "norm" in name.lower() else 0.0
            p.copy_(start + 0.3 * torch.randn(p.shape, generator=generator))
    return model.eval()


def decoder_config(kind, **given):
    return kind(**{
        "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32, "bos_token_id": 2,
        "eos_token_id": 3, "pad_token_id": 0, "tie_word_embeddings": False, **given,
    })


def rope(kind, theta=10000.0, **given):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **given}}


LLAMA3 = rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
# Two rotations; scores by a scalar that is not the size of a head.
GEMMA3 = {
    "num_hidden_layers": 3, "head_dim": 8, "query_pre_attn_scalar": 6, "sliding_window": 5, "tie_word_embeddings": True,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
                        "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
}
LONG = {"short_factor": [1.0, 1.2, 1.5], "long_factor": [1.5, 3.0, 6.0]}

# Name: config, model, lengths of sequences, how it is saved.
DECODERS = {
    "llama": (decoder_config(LlamaConfig), LlamaForCausalLM, [20], {}),
    "llama-biases": (decoder_config(LlamaConfig, attention_bias=True, mlp_bias=True, head_dim=6, hidden_act="gelu"),
                     LlamaForCausalLM, [20], {}),
    "llama-linear": (decoder_config(LlamaConfig, **rope("linear", factor=4.0), max_position_embeddings=16),
                     LlamaForCausalLM, [40], {}),
    "llama-dynamic": (decoder_config(LlamaConfig, **rope("dynamic", factor=3.0), max_position_embeddings=16),
                      LlamaForCausalLM, [12, 40], {}),
    "llama-llama3": (decoder_config(LlamaConfig, **LLAMA3, max_position_embeddings=128, num_attention_heads=2,
                                    num_key_value_heads=1, tie_word_embeddings=True), LlamaForCausalLM, [40], {}),
    "llama-yarn": (decoder_config(LlamaConfig, **rope("yarn", factor=4.0, original_max_position_embeddings=16),
                                  max_position_embeddings=64, head_dim=16), LlamaForCausalLM, [40], {}),
    "llama-yarn-apart": (decoder_config(LlamaConfig, **rope("yarn", 100.0, factor=3.0, beta_fast=4.0, beta_slow=0.5,
                                                            original_max_position_embeddings=16, truncate=False,
                                                            attention_factor=1.3), max_position_embeddings=48),
                         LlamaForCausalLM, [40], {}),
    "llama-sharded": (decoder_config(LlamaConfig), LlamaForCausalLM, [20], {"max_shard_size": "6KB"}),
    "llama-bf16": (decoder_config(LlamaConfig), LlamaForCausalLM, [20], {"dtype": torch.bfloat16}),
    "llama-f16": (decoder_config(LlamaConfig, tie_word_embeddings=True), LlamaForCausalLM, [20],
                  {"dtype": torch.float16}),
    "llama-base": (decoder_config(LlamaConfig, tie_word_embeddings=True), LlamaForCausalLM, [20], {"base": True}),
    "mistral": (decoder_config(MistralConfig, sliding_window=5), MistralForCausalLM, [20], {}),
    "mistral-whole": (decoder_config(MistralConfig, sliding_window=None), MistralForCausalLM, [20], {}),
    "qwen2": (decoder_config(Qwen2Config, tie_word_embeddings=True), Qwen2ForCausalLM, [20], {}),
    "qwen2-windows": (decoder_config(Qwen2Config, use_sliding_window=True, sliding_window=4, max_window_layers=1),
                      Qwen2ForCausalLM, [20], {}),
    "qwen3": (decoder_config(Qwen3Config, head_dim=8), Qwen3ForCausalLM, [20], {}),
    "phi3": (decoder_config(Phi3Config, sliding_window=7), Phi3ForCausalLM, [20], {}),
    "phi3-longrope": (decoder_config(Phi3Config, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
                                     original_max_position_embeddings=16, partial_rotary_factor=0.75,
                                     rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, **LONG}),
                      Phi3ForCausalLM, [12, 40], {}),
    "gemma": (decoder_config(GemmaConfig, tie_word_embeddings=True, head_dim=8), GemmaForCausalLM, [20], {}),
    "gemma3": (decoder_config(Gemma3TextConfig, **GEMMA3), Gemma3ForCausalLM, [20], {}),
}


def run_decoder(model, lengths, generator):
    out = {}
    for n in lengths:
        ids = torch.randint(4, VOCABULARY, (2, n), generator=generator)
        model.zero_grad()
        logits = model(input_ids=ids).logits
        nll = cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), ids[:, 1:].reshape(-1), reduction="none")
        nll.mean().backward()
        out |= {f"{n}/ids": ids.float(), f"{n}/logits": logits.detach(), f"{n}/nll": nll.detach().reshape(2, n - 1)}
        out |= {f"{n}/gradient/{name}": p.grad.clone() for name, p in model.named_parameters()}
    return out


def save_decoder(folder, model, dtype=torch.float32, base=False, **options):
    (model.model if base else model).to(dtype).save_pretrained(folder, **options)


def make_decoder(name, config, kind, lengths, how):
    generator = torch.Generator().manual_seed(len(name))
    folder = HERE / name
    model = draw(kind._from_config(config, **EAGER), generator)
    save_decoder(folder, model, **how)
    model = kind.from_pretrained(folder, dtype=torch.float32, **EAGER).eval()
    save_file({k: v.contiguous() for k, v in run_decoder(model, lengths, generator).items()},
              folder / "expected.safetensors")


def encoder_config(kind, **given):
    return kind(**{
        "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 24, "pad_token_id": 0, **given,
    })


DISENTANGLED = {"relative_attention": True, "position_biased_input": False, "pos_att_type": "c2p|p2c", "type_vocab_size": 0}
MODERN = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}


def run_encoder(model, head, generator, length=18):
    ids = torch.randint(4, VOCABULARY, (2, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 13:] = 0
    mask[0, 5] = 0
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    vectors = normalize(hidden if head is None else linear(hidden, head), dim=-1)
    if model.config.model_type.startswith("deberta"):  # elsewhere masked tokens see the others; these mean nothing
        vectors = vectors * mask[..., None]
    probe = torch.randn(vectors.shape, generator=generator)
    (vectors * probe).sum().backward()
    out = {"ids": ids.float(), "mask": mask.float(), "vectors": vectors.detach(), "probe": probe}
    used = [(name, p) for name, p in model.named_parameters() if p.grad is not None]
    out |= {f"gradient/{name}": p.grad.clone() for name, p in used}
    return out if head is None else out | {"gradient/linear.weight": head.grad.clone()}


def as_colbert(folder, model, head):
    model.config.architectures = ["HF_ColBERT"]
    model.config.save_pretrained(folder)
    weights = {f"bert.{k}": v for k, v in model.state_dict().items() if not k.startswith("pooler")}
    save_file({k: v.contiguous() for k, v in weights.items()} | {"linear.weight": head.detach()},
              folder / "model.safetensors", metadata={"format": "pt"})
    metadata = {"query_token_id": "[unused0]", "doc_token_id": "[unused1]", "query_token": "[Q]", "doc_token": "[D]",
                "query_maxlen": 12, "attend_to_mask_tokens": False, "interaction": "colbert", "dim": head.shape[0],
                "doc_maxlen": 20, "mask_punctuation": True, "similarity": "cosine", "index_path": None}
    (folder / "artifact.metadata").write_text(json.dumps(metadata, indent=4))


def as_pylate(folder, model, head):
    model.save_pretrained(folder)
    dense = folder / "1_Dense"
    dense.mkdir()
    save_file({"linear.weight": head.detach()}, dense / "model.safetensors", metadata={"format": "pt"})
    (dense / "config.json").write_text(json.dumps({
        "in_features": 16, "out_features": head.shape[0], "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity"}))
    (folder / "modules.json").write_text(json.dumps([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"}]))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({
        "query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 10, "document_length": 22,
        "attend_to_expansion_tokens": True, "skiplist_words": [",", "."], "do_query_expansion": True,
        "similarity_fn_name": "MaxSim", "prompts": {}}))


def plain(folder, model, _):
    model.save_pretrained(folder)


# Name: config, model, size of the head, how it is saved.
ENCODERS = {
    "bert": (encoder_config(BertConfig), BertModel, 0, plain),
    "bert-mlm": (encoder_config(BertConfig, hidden_act="gelu_new"), BertForMaskedLM, 0, plain),
    "colbert": (encoder_config(BertConfig), BertModel, 8, as_colbert),
    "pylate": (encoder_config(BertConfig), BertModel, 6, as_pylate),
    "roberta-mlm": (encoder_config(RobertaConfig, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1), RobertaForMaskedLM,
                    0, plain),
    "xlm-roberta": (encoder_config(XLMRobertaConfig, type_vocab_size=1, pad_token_id=3), XLMRobertaModel, 0, plain),
    "distilbert": (DistilBertConfig(vocab_size=VOCABULARY, dim=16, hidden_dim=24, n_layers=2, n_heads=4,
                                    max_position_embeddings=24), DistilBertModel, 0, plain),
    "mpnet": (encoder_config(MPNetConfig, pad_token_id=1, max_position_embeddings=160),
                   MPNetModel, 0, plain),
    "deberta": (encoder_config(DebertaConfig, **DISENTANGLED, max_relative_positions=12), DebertaModel, 0, plain),
    "deberta-c2p": (encoder_config(DebertaConfig, **{**DISENTANGLED, "pos_att_type": ["c2p"]}), DebertaModel, 8, as_pylate),
    "deberta-v2": (encoder_config(DebertaV2Config, **DISENTANGLED, position_buckets=8, share_att_key=True, norm_rel_ebd="layer_norm",
                                  conv_kernel_size=3, conv_act="gelu"), DebertaV2Model, 0, plain),
    "deberta-v2-mlm": (encoder_config(DebertaV2Config, **{**DISENTANGLED, "pos_att_type": ["p2c", "c2p"]}, position_buckets=12,
                                      max_position_embeddings=64), DebertaV2ForMaskedLM, 0, plain),
    "modernbert": (encoder_config(ModernBertConfig, local_attention=6, num_hidden_layers=4, **MODERN), ModernBertModel, 0,
                   plain),
    "modernbert-mlm": (encoder_config(ModernBertConfig, local_attention=4, num_hidden_layers=2, norm_bias=True,
                                      attention_bias=True, mlp_bias=True, **MODERN), ModernBertForMaskedLM, 0, plain),
    "modernbert-pylate": (encoder_config(ModernBertConfig, local_attention=4, **MODERN), ModernBertModel, 6, as_pylate),
}


# Longer texts, whose tokens are further apart than biases tell.
LENGTHS = {"mpnet": 150, "deberta-v2-mlm": 60}


def make_encoder(name, config, kind, dim, save):
    generator = torch.Generator().manual_seed(len(name))
    folder = HERE / name
    folder.mkdir(parents=True)
    model = draw(kind._from_config(config, **EAGER), generator)
    head = (0.3 * torch.randn((dim, 16), generator=generator)).requires_grad_() if dim else None
    save(folder, model, head)
    inner = model.base_model
    save_file({k: v.contiguous() for k, v in run_encoder(inner, head, generator, LENGTHS.get(name, 18)).items()},
              folder / "expected.safetensors")


def main(*chosen):
    """All checkpoints, or those named."""
    for name, how in {**DECODERS, **ENCODERS}.items():
        if chosen and name not in chosen:
            continue
        shutil.rmtree(HERE / name, ignore_errors=True)
        (make_decoder if name in DECODERS else make_encoder)(name, *how)


if __name__ == "__main__":
    main(*sys.argv[1:])
