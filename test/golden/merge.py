"""Merges of four tiny models by mergekit 0.1.5: writes merge/ (model folders, cases.json, expected.safetensors).

    pip install mergekit==0.1.5
    python merge.py

DARE and DELLA draw their masks from `drawn` in place of torch's generator: the i-th element of a tensor is kept if
frac((i + 1) * 0.618...) is less than its probability, so that the tests can draw the same.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

FOLDER = Path(__file__).parent / "merge"
GOLDEN = 0.6180339887498949
WORDS = ["<unk>", "<s>", "</s>", "the", "a", "gene", "liver", "pain", "red", "eye", "hand", "heart"]
torch.manual_seed(11)


def drawn(probabilities):
    places = torch.arange(1, probabilities.numel() + 1, dtype=torch.float64)
    uniform = (places * GOLDEN) % 1
    return (uniform.reshape(probabilities.shape) < probabilities.double()).to(probabilities.dtype)


torch.bernoulli = drawn

# Elements of equal magnitude, which bfloat16 has many of, are in no fixed order in torch; here, in that of their places.
sort, argsort = torch.sort, torch.argsort
torch.sort = lambda values, **options: sort(values, stable=True, **options)
torch.argsort = lambda values, dim=-1, descending=False: argsort(values, dim=dim, descending=descending, stable=True)


def referenced(config):
    """The models as listed, where mergekit has them in the order of a set's hashes, which changes with the process."""
    sources = [s for part in config.slices or [] for s in part.sources] + list(config.models or [])
    if config.modules:
        sources += [s for m in config.modules.values() for part in m.slices or [] for s in part.sources]
        sources += [s for m in config.modules.values() for s in m.models or []]
    return list(dict.fromkeys(([config.base_model] if config.base_model else []) + [s.model for s in sources]))


MergeConfiguration.referenced_models = referenced


def llama(words, tied=False, layers=3, vocab_size=None):
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=vocab_size or len(words), hidden_size=8, intermediate_size=8, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=32, tie_word_embeddings=tied,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.3))


def save(model, words, name, added=()):
    folder = FOLDER / name
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.add_tokens(list(added))
    fast.save_pretrained(folder)
    for extra in ["generation_config.json", "special_tokens_map.json"]:
        (folder / extra).unlink(missing_ok=True)


def near(model, like, scale):
    with torch.no_grad():
        for own, base in zip(model.parameters(), like.parameters()):
            own.copy_(base + scale * torch.randn_like(base))
    return model


def make():
    shutil.rmtree(FOLDER, ignore_errors=True)
    base = llama(WORDS)
    save(base, WORDS, "base")
    for name, scale in [("a", 0.1), ("b", 0.2), ("c", 0.05)]:
        save(near(llama(WORDS), base, scale), WORDS, name)
    save(llama(WORDS), WORDS, "far")
    # The same in bfloat16.
    for name in ["base", "a", "b"]:
        half = LlamaForCausalLM.from_pretrained(FOLDER / name).bfloat16()
        save(half, WORDS, f"{name}-bf16")
    # Other vocabularies: one more word, two less, and words in another order.
    save(llama([*WORDS, "kidney"]), [*WORDS, "kidney"], "wide")
    save(llama(WORDS[:3] + WORDS[4:] + ["lung"]), WORDS[:3] + WORDS[4:] + ["lung"], "turned", added=())
    save(llama([*WORDS, "<note>"]), WORDS, "added", added=["<note>"])
    save(llama(WORDS, tied=True), WORDS, "tied")


def of(*models, **parameters):
    """The entries of `models`, each with its share of the parameters that are lists."""
    own = [{key: values[i] for key, values in parameters.items()} for i in range(len(models))]
    return [{"model": m, **({"parameters": p} if p else {})} for m, p in zip(models, own)]


W2, W3 = [0.6, 0.3], [0.6, 0.3, 0.3]
ABC = ("a", "b", "c")
CONDITIONS = [{"filter": "self_attn", "value": 0.2}, {"filter": "mlp", "value": [0, 0.5, 1]}, {"value": 0.8}]


def delta(method, models=ABC, weight=W3, shared=None, **own):
    return {"merge_method": method, "base_model": "base", "models": of(*models, weight=weight, **own),
            **({"parameters": shared} if shared else {})}


CASES = {
    "linear": {"merge_method": "linear", "models": of(*ABC, weight=W3)},
    "linear-unnormalised": {"merge_method": "linear", "models": of(*ABC, weight=W3), "parameters": {"normalize": False}},
    "linear-conditions": {"merge_method": "linear", "models": of("a", "b", weight=[CONDITIONS, 1.0])},
    "linear-gradient": {"merge_method": "linear", "models": of("a", "b", weight=[[0, 0.5, 2], 1])},
    "linear-falls-through": {"merge_method": "linear", "parameters": {"weight": 0.7},
                             "models": of("a", "b", weight=[[{"filter": "mlp", "value": 0.1}], 1])},
    "slerp": {"merge_method": "slerp", "base_model": "base", "models": of("a", "base"), "parameters": {"t": 0.25}},
    "slerp-gradient": {"merge_method": "slerp", "base_model": "base", "models": of("base", "b"), "parameters": {
        "t": [{"filter": "self_attn", "value": [0, 0.5, 0.3, 0.7, 1]}, {"filter": "mlp", "value": [1, 0]}, {"value": 0.5}]}},
    "slerp-far": {"merge_method": "slerp", "base_model": "base", "models": of("far"), "parameters": {"t": 0.4}},
    "slerp-same": {"merge_method": "slerp", "base_model": "base", "models": of("base", "c"), "parameters": {"t": 0.4}},
    "nuslerp": {"merge_method": "nuslerp", "models": of("a", "b", weight=[0.7, 0.3])},
    "nuslerp-base": {"merge_method": "nuslerp", "base_model": "base", "models": of("a", "b", weight=[0.7, 0.3])},
    "nuslerp-rows": {"merge_method": "nuslerp", "models": of("a", "b", weight=[0.7, 0.3]),
                     "parameters": {"nuslerp_flatten": False}},
    "nuslerp-columns": {"merge_method": "nuslerp", "models": of("a", "b", weight=[0.7, 0.3]),
                        "parameters": {"nuslerp_flatten": False, "nuslerp_row_wise": True}},
    "nuslerp-zero": {"merge_method": "nuslerp", "models": of("a", "b", weight=[1, -1])},
    "task_arithmetic": delta("task_arithmetic"),
    "task_arithmetic-normalised": delta("task_arithmetic", shared={"normalize": True, "lambda": 0.5}),
    "task_arithmetic-zero": delta("task_arithmetic", ("a", "b"), [1, -1], {"normalize": True}),
    "ties": delta("ties", density=[0.5, 0.7, 0.3]),
    "ties-unnormalised": delta("ties", density=[0.5, 0.5, 0.5], shared={"normalize": False, "int8_mask": True}),
    "ties-whole": delta("ties"),
    "ties-negative": delta("ties", weight=[0.6, 0.3, -0.1]),
    "ties-one-element": delta("ties", density=[0.0001] * 3),
    "ties-nothing": delta("ties", density=[0] * 3),
    "ties-rescaled": delta("ties", density=[0.5] * 3, shared={"rescale": True}),
    "ties-gradients": delta("ties", ("a", "b"), [[0.2, 1], 0.5], density=[[1, 0.1], [{"filter": "mlp", "value": 0.5}, {"value": 0.9}]]),
    "dare_linear": delta("dare_linear", density=[0.5, 0.7, 0.3]),
    "dare_linear-plain": delta("dare_linear", density=[0.5] * 3, shared={"rescale": False}),
    "dare_ties": delta("dare_ties", density=[0.5] * 3, shared={"normalize": True}),
    "dare_ties-default": delta("dare_ties"),
    "breadcrumbs": delta("breadcrumbs", density=[0.4, 0.9, 0.5], gamma=[0.1, 0.01, 0.2]),
    "breadcrumbs-default": delta("breadcrumbs", density=[0.9] * 3),
    "breadcrumbs-beyond": delta("breadcrumbs", ("a",), [0.06353], density=[0.4936], gamma=[1.672]),
    "breadcrumbs_ties": delta("breadcrumbs_ties", density=[0.6] * 3, gamma=[0.2] * 3),
    "breadcrumbs_ties-rescaled": delta("breadcrumbs_ties", density=[0.6] * 3, gamma=[0.2] * 3, shared={"rescale": True}),
    "della": delta("della", density=[0.5, 0.7, 0.3]),
    "della_linear": delta("della_linear", density=[0.5] * 3, epsilon=[0.1] * 3, shared={"lambda": 1.5}),
    "model_stock": {"merge_method": "model_stock", "base_model": "base", "models": of(*ABC)},
    "model_stock-two": {"merge_method": "model_stock", "base_model": "base", "models": of("a", "b")},
    "model_stock-rows": {"merge_method": "model_stock", "base_model": "base", "models": of(*ABC),
                         "parameters": {"filter_wise": True}},
    "karcher": {"merge_method": "karcher", "models": of(*ABC)},
    "karcher-base": {"merge_method": "karcher", "base_model": "base", "models": of(*ABC)},
    "multislerp": {"merge_method": "multislerp", "models": of(*ABC, weight=[0.5, 0.3, 0.2])},
    "multislerp-base": {"merge_method": "multislerp", "base_model": "base", "models": of(*ABC, weight=[0.5, 0.3, 0.2])},
    "sce": {"merge_method": "sce", "base_model": "base", "models": of(*ABC)},
    "sce-half": {"merge_method": "sce", "base_model": "base", "models": of(*ABC), "parameters": {"select_topk": 0.5}},
    "nearswap": {"merge_method": "nearswap", "base_model": "base", "models": of("a"), "parameters": {"t": 0.05}},
    "passthrough": {"merge_method": "passthrough", "models": of("a", scale=[[{"filter": "down_proj", "value": 0.5}, {"value": 1}]])},
    "slices": {"merge_method": "passthrough", "slices": [
        {"sources": [{"model": "a", "layer_range": [0, 2]}]}, {"sources": [{"model": "b", "layer_range": [1, 3]}]}]},
    "slices-merged": {"merge_method": "ties", "base_model": "base", "parameters": {"density": 0.5}, "slices": [
        {"sources": [{"model": "a", "layer_range": [0, 2], "parameters": {"weight": [0.2, 0.8]}},
                     {"model": "base", "layer_range": [0, 2]}]},
        {"sources": [{"model": "b", "layer_range": [2, 3], "parameters": {"weight": [0.2, 0.8]}},
                     {"model": "base", "layer_range": [2, 3]}], "parameters": {"density": 0.7}}]},
    "union": {"merge_method": "linear", "tokenizer_source": "union", "models": of("base", "wide", "turned", "added", weight=[1, 2, 3, 1])},
    "union-base": {"merge_method": "linear", "base_model": "base", "tokenizer_source": "union",
                   "models": of("base", "turned", "added", weight=[1, 2, 3])},
    "from-base": {"merge_method": "ties", "base_model": "base", "tokenizer_source": "base",
                  "models": of("wide", "turned", weight=[1, 2])},
    "from-path": {"merge_method": "linear", "tokenizer_source": "turned", "models": of("base", "turned", weight=[1, 1])},
    "tied-head": {"merge_method": "linear", "models": of("a", "tied", weight=[1, 1])},
    "in-bf16": {**delta("ties", density=[0.5] * 3), "dtype": "bfloat16"},
    "out-bf16": {**delta("ties", density=[0.5] * 3), "dtype": "float32", "out_dtype": "bfloat16"},
    "mixed": {"merge_method": "linear", "models": of("a-bf16", "b", weight=W2)},
    **{f"bf16-{method}": {"merge_method": method, "base_model": "base-bf16", "models": of(
        *["a-bf16", "b-bf16"][:1 if method in ("slerp", "nearswap") else 2],
        **({} if method in ("slerp", "nearswap", "model_stock", "sce") else {"weight": W2}),
        **({"density": [0.5, 0.7]} if method in ("ties", "dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties",
                                                 "della", "della_linear") else {})),
        **({"parameters": {"t": 0.25}} if method in ("slerp", "nearswap") else {})}
       for method in ["task_arithmetic", "ties", "dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties", "della",
                      "della_linear", "slerp", "nearswap", "model_stock", "nuslerp", "multislerp", "sce"]},
    "bf16-linear": {"merge_method": "linear", "models": of("a-bf16", "b-bf16", "base-bf16", weight=W3)},
    "bf16-karcher": {"merge_method": "karcher", "models": of("a-bf16", "b-bf16", "base-bf16")},
}


def absolute(value):
    if isinstance(value, dict):
        return {key: str(FOLDER / v) if key in ("model", "base_model") and isinstance(v, str)
                else str(FOLDER / v) if key == "tokenizer_source" and v not in ("base", "union")
                else absolute(v) for key, v in value.items()}
    return [absolute(v) for v in value] if isinstance(value, list) else value


def main():
    make()
    expected, told = {}, {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as out:
            config = MergeConfiguration.model_validate(absolute(case))
            run_merge(config, out, MergeOptions(quiet=True, allow_crimes=False))
            written = json.loads((Path(out) / "config.json").read_text())
            told[name] = {"config": case, "written": {key: written.get(key) for key in (
                "dtype", "num_hidden_layers", "vocab_size", "tie_word_embeddings")}}
            if "tokenizer_source" in case:
                tokenizer = json.loads((Path(out) / "tokenizer.json").read_text())
                told[name]["tokens"] = {**tokenizer["model"]["vocab"], **{t["content"]: t["id"] for t in tokenizer["added_tokens"]}}
            for tensor, values in load_file(f"{out}/model.safetensors").items():
                expected[f"{name}/{tensor}"] = values
    save_file(expected, FOLDER / "expected.safetensors")
    (FOLDER / "cases.json").write_text(json.dumps(told, indent=1) + "\n")


main()
