"""GGUF files by PyPI's `gguf`, and what it and transformers make of them: gguf/.

types.gguf: a tensor of random blocks of each type; types.safetensors: what `gguf` dequantises them to, and under quantised.* the
values of the tensors of types.gguf that `gguf` quantised. <name>.gguf: the checkpoint of architectures/<name> under GGUF's names
(from `gguf`'s own table) and conventions; gemma3.safetensors: its ids and logits with the scale of attention that GGUF has.
tokens-<kind>.gguf: the tokenizer of tokenizers/<kind>, without tensors.
"""

import json
import math
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).parent
OUT = HERE / "gguf"
TYPES = [Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.IQ4_NL, Type.Q2_K,
         Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K]
# Bytes of a block that are float16 scales.
SCALES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.IQ4_NL: [0],
          Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}
ARCHITECTURES = {"llama": "llama", "llama-linear": "llama", "llama-llama3": "llama", "llama-yarn": "llama",
                 "mistral-whole": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "phi3": "phi3", "phi3-longrope": "phi3",
                 "gemma": "gemma", "gemma3": "gemma3", "bert": "bert"}


def scale(rng):
    """A finite float16 of any sign and magnitude, subnormal ones and zeros among them."""
    while True:
        bits = rng.integers(0, 2**16, dtype=np.uint16)
        if bits & 0x7C00 != 0x7C00:
            return np.frombuffer(np.uint16(bits).tobytes(), dtype=np.uint8)


def random_blocks(rng, kind, rows, blocks):
    if kind == Type.F32:
        return rng.standard_normal((rows, blocks), dtype=np.float32).view(np.uint8)
    if kind in (Type.F16, Type.BF16):
        bits = rng.integers(0, 2**16, (rows, blocks), dtype=np.uint16)
        infinite = 0x7C00 if kind == Type.F16 else 0x7F80
        return np.where(bits & infinite == infinite, bits & 0x3FFF, bits).astype(np.uint16).view(np.uint8)
    size = GGML_QUANT_SIZES[kind][1]
    out = rng.integers(0, 256, (rows * blocks, size), dtype=np.uint8)
    for block in out:
        for at in SCALES[kind]:
            block[at:at + 2] = scale(rng)
    return out.reshape(rows, blocks * size)


def types():
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(OUT / "types.gguf", "llama")
    values = {}
    for kind in TYPES:
        data = random_blocks(rng, kind, 5, 64 if kind in (Type.F32, Type.F16, Type.BF16) else 6)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        values[kind.name] = gguf.dequantize(data, kind).astype(np.float32).reshape(5, -1)
    for kind in (Type.Q8_0, Type.Q4_0):
        floats = (rng.standard_normal((6, 128)) * 10.0 ** rng.integers(-6, 4, (6, 1))).astype(np.float32)
        floats[0, :32] = 0
        floats[1, :64] = np.round(floats[1, :64])
        writer.add_tensor(f"quantised.{kind.name}", gguf.quantize(floats, kind), raw_dtype=kind)
        values[f"quantised.{kind.name}"] = floats
    close(writer)
    save_file(values, OUT / "types.safetensors")


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def neighbours(data, heads):
    """Rows of llama's queries and keys: the two of a rotated pair become neighbours."""
    return data.reshape(heads, 2, data.shape[0] // heads // 2, *data.shape[1:]).swapaxes(1, 2).reshape(data.shape)


def llama3_divisors(rope, head_dim):
    base, factor, original = rope["rope_theta"], rope["factor"], rope["original_max_position_embeddings"]
    freqs = 1.0 / (base ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim))
    out = []
    for freq in freqs:
        wavelength = 2 * math.pi / freq
        if wavelength < original / rope["high_freq_factor"]:
            out.append(1.0)
        elif wavelength > original / rope["low_freq_factor"]:
            out.append(factor)
        else:
            smooth = (original / wavelength - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            out.append(float(1 / ((1 - smooth) / factor + smooth)))
    return np.array(out, dtype=np.float32)


def add_rope(writer, architecture, c, head_dim):
    ropes = c.rope_parameters
    rope = ropes.get("full_attention", ropes)
    writer.add_rope_freq_base(rope["rope_theta"])
    turning = int(head_dim * (rope.get("partial_rotary_factor") or 1))
    writer.add_rope_dimension_count(turning)
    kind = rope["rope_type"]
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(rope, head_dim))
    if kind == "longrope":
        original = rope["original_max_position_embeddings"]
        writer.add_rope_scaling_orig_ctx_len(original)
        stretch = c.max_position_embeddings / original
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(stretch) / math.log(original)))
        for name in ("long", "short"):
            writer.add_tensor(f"rope_factors_{name}.weight", np.array(rope[f"{name}_factor"], dtype=np.float32))
    if architecture == "gemma3":
        writer.add_float32("gemma3.rope.freq_base_swa", ropes["sliding_attention"]["rope_theta"])


def model(name, architecture):
    folder = HERE / "architectures" / name
    c = AutoConfig.from_pretrained(folder)
    if architecture == "gemma3":
        gemma3(folder, c)
    writer = gguf.GGUFWriter(OUT / f"{name}.gguf", architecture)
    writer.add_type("model")
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    if architecture == "bert":
        writer.add_layer_norm_eps(c.layer_norm_eps)
        writer.add_causal_attention(False)
        writer.add_pooling_type(gguf.PoolingType.MEAN)
    else:
        head_dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
        writer.add_head_count_kv(c.num_key_value_heads)
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
        writer.add_layer_norm_rms_eps(c.rms_norm_eps)
        add_rope(writer, architecture, c, head_dim)
    if architecture in ("phi3", "gemma3") and c.sliding_window:
        writer.add_sliding_window(c.sliding_window)
    if architecture == "gemma3":
        writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in c.layer_types])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], c.num_hidden_layers)
    with safe_open(folder / "model.safetensors", "np") as tensors:
        for stored in sorted(tensors.keys()):
            data = tensors.get_tensor(stored)
            if stored.startswith(("bert.pooler", "pooler")) or stored.endswith("position_ids"):
                continue
            if architecture == "llama" and ".q_proj." in stored:
                data = neighbours(data, c.num_attention_heads)
            if architecture == "llama" and ".k_proj." in stored:
                data = neighbours(data, c.num_key_value_heads)
            if architecture.startswith("gemma") and stored.endswith("norm.weight"):
                data = data + 1
            given = names.get_name(stored, try_suffixes=(".weight", ".bias"))
            assert given, stored
            writer.add_tensor(given, data)
    close(writer)


def gemma3(folder, c):
    """Logits with the scale of attention that GGUF takes for granted."""
    c.query_pre_attn_scalar = c.head_dim
    net = AutoModelForCausalLM.from_pretrained(folder, config=c, dtype=torch.float64, attn_implementation="eager")
    ids = torch.tensor([[(7 * i + 3) % c.vocab_size for i in range(20)]])
    with torch.no_grad():
        logits = net(ids).logits
    save_file({"ids": ids.numpy().astype(np.float32), "logits": logits.numpy().astype(np.float32)}, OUT / "gemma3.safetensors")


def tokens(kind, model_name, pre):
    folder = HERE.parent.parent / "experiments/demo/retriever" if kind == "wordpiece" else HERE / "tokenizers" / kind
    given = json.loads((folder / "tokenizer.json").read_text())
    vocab = dict(given["model"]["vocab"])
    added = {token["content"]: token for token in given["added_tokens"]}
    vocab |= {text: token["id"] for text, token in added.items()}
    listed = sorted(vocab, key=vocab.get)
    assert [vocab[text] for text in listed] == list(range(len(listed)))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in given["model"].get("merges", [])]
    writer = gguf.GGUFWriter(OUT / f"tokens-{kind}.gguf", "bert" if model_name == "bert" else "llama")
    writer.add_tokenizer_model(model_name)
    writer.add_tokenizer_pre(pre)

    def kind_of(text):
        if text == given["model"].get("unk_token"):
            return gguf.TokenType.UNKNOWN
        if text in added:
            return gguf.TokenType.CONTROL
        return gguf.TokenType.BYTE if model_name == "llama" and text.startswith("<0x") else gguf.TokenType.NORMAL

    def spelled(text):
        if model_name != "bert" or (text.startswith("[") and text.endswith("]")):
            return text
        return text[2:] if text.startswith("##") else "\u2581" + text

    writer.add_token_list([spelled(text) for text in listed])
    writer.add_token_types([kind_of(text) for text in listed])
    if model_name == "gpt2":
        writer.add_token_merges(merges)
    if model_name == "llama":
        ranks = {}
        for rank, merge in enumerate(merges):
            ranks.setdefault(merge.replace(" ", ""), rank)
        writer.add_token_scores([-float(ranks.get(text, len(merges))) for text in listed])
    special = {"llama3": {"bos": "<|begin_of_text|>", "eos": "<|eot_id|>"}, "llama2": {"bos": "<s>", "eos": "</s>", "unk": "<unk>"},
               "wordpiece": {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}}[kind]
    for role, text in special.items():
        getattr(writer, f"add_{role}_token_id" if role != "cls" else "add_bos_token_id")(vocab[text])
    close(writer)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    types()
    for name, architecture in ARCHITECTURES.items():
        model(name, architecture)
    tokens("llama3", "gpt2", "llama-bpe")
    tokens("llama2", "llama", "default")
    tokens("wordpiece", "bert", "default")
