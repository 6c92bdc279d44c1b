"""Tiny random sentence-transformers folders of every kind that is read, and the vectors that it computes with them.

Writes sentences/<name>/: the folder as sentence-transformers saves it, and expected.json: vectors of queries and documents.

    python sentences.py [NAME...]  all folders, or those named; needs sentence-transformers 6.2
    python sentences.py FOLDER     prints the vectors of a folder: that one of ours loads
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel, BertConfig, DebertaConfig, DebertaTokenizer, DebertaV2Config, DebertaV2Tokenizer, DistilBertConfig, Gemma3TextConfig, GemmaConfig, LlamaConfig, MistralConfig, ModernBertConfig,
    MPNetConfig, Phi3Config, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config, RobertaConfig, XLMRobertaConfig,
)

HERE = Path(__file__).parent / "sentences"
QUERIES = ["which gene", "copper in the liver", "a", "long fingers and a red spot in the eye which gene is at fault"]
DOCUMENTS = ["wilson disease copper stays in the liver", "marfan syndrome", "the gene the gene the gene", "eye"]
WORDS = sorted({w for t in QUERIES + DOCUMENTS for w in t.split()} | {"query", "passage", ":", "find", "title"})
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<eos>"]
VOCABULARY = {w: i for i, w in enumerate(SPECIAL + WORDS)}


def of_subwords(style, **given):
    """RoBERTa's byte-level BPE, or XLM-RoBERTa's unigrams, trained on the texts; the ids of markers are theirs."""
    markers = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    if style == "roberta":
        own = Tokenizer(models.BPE())
        own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        own.train_from_iterator(QUERIES + DOCUMENTS, trainers.BpeTrainer(
            vocab_size=320, special_tokens=markers, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        own.decoder = decoders.ByteLevel()
        own.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    else:
        own = Tokenizer(models.Unigram())
        own.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
        own.train_from_iterator(QUERIES + DOCUMENTS, trainers.UnigramTrainer(
            vocab_size=80, special_tokens=markers, unk_token="<unk>"))
        own.decoder = decoders.Metaspace()
        own.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=own, bos_token="<s>", cls_token="<s>", pad_token="<pad>", eos_token="</s>",
                                   sep_token="</s>", unk_token="<unk>", mask_token="<mask>", **given)


def of_deberta(style, **given):
    """As transformers makes them: version 1 has GPT-2's byte-level BPE, versions 2 and 3 SentencePiece's unigrams."""
    if style == "deberta":
        own = Tokenizer(models.BPE())
        own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        own.train_from_iterator(QUERIES + DOCUMENTS, trainers.BpeTrainer(
            vocab_size=320, special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        made = json.loads(own.to_str())["model"]
        return DebertaTokenizer(vocab=made["vocab"], merges=[tuple(pair) for pair in made["merges"]], **given)
    own = Tokenizer(models.Unigram())
    own.pre_tokenizer = pre_tokenizers.Metaspace()
    own.train_from_iterator(QUERIES + DOCUMENTS, trainers.UnigramTrainer(
        vocab_size=80, special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"], unk_token="[UNK]"))
    vocabulary = [tuple(piece) for piece in json.loads(own.to_str())["model"]["vocab"]]
    return DebertaV2Tokenizer(vocab=vocabulary, unk_id=3, **given)


def tokenizer(style, **given):
    if style.startswith("deberta"):
        return of_deberta(style, **given)
    if style in ("roberta", "xlm"):
        return of_subwords(style, **given)
    own = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    own.normalizer = normalizers.Lowercase()
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    ids = lambda *names: [(n, VOCABULARY[n]) for n in names]
    if style == "bert":
        own.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", ids("[CLS]", "[SEP]"))
    if style == "eos":
        own.post_processor = processors.TemplateProcessing("$A <eos>", "$A $B <eos>", ids("<eos>"))
    if style == "bos":
        own.post_processor = processors.TemplateProcessing("[CLS] $A", "[CLS] $A $B", ids("[CLS]"))
    tokens = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "<eos>"}
    if style == "bert":
        tokens |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=own, **tokens, **given)


def encoder(kind, **given):
    return kind(**{
        "vocab_size": len(VOCABULARY), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 32, "pad_token_id": 0, **given,
    })


def decoder(kind, **given):
    return encoder(kind, **{"num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 5, "bos_token_id": 2, **given})


GEMMA3 = {
    "num_hidden_layers": 3, "head_dim": 8, "query_pre_attn_scalar": 6, "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
                        "full_attention": {"rope_type": "default", "rope_theta": 10000.0}},
}
DISENTANGLED = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0}
PROMPTS = {"query": "find : ", "document": "passage : "}
BOTH = {"is_causal": False}

# Name: config, tokenizer, pooling, what follows, prompts.
FOLDERS = {
    "bert-mean": (encoder(BertConfig), "bert", "mean", [], {}),
    "bert-cls-dense": (encoder(BertConfig), "bert", "cls", [("tanh", 16, 12), ("identity", 12, 8), "normalize"], PROMPTS),
    "bert-max": (encoder(BertConfig), "bert", "max", ["normalize"], {}),
    "bert-several": (encoder(BertConfig), "bert", ["cls", "max", "mean"], [], {"query": "query : "}),
    "bert-sqrt-apart": (encoder(BertConfig), "bert", "mean_sqrt_len_tokens", [], {**PROMPTS, "include_prompt": False}),
    "modernbert-weighted": (encoder(ModernBertConfig, local_attention=4, global_attn_every_n_layers=2), "bert", "weightedmean",
                            [], {**PROMPTS, "include_prompt": False}),
    "roberta-mean": (encoder(RobertaConfig, vocab_size=400, type_vocab_size=1, pad_token_id=1), "roberta", "mean", ["normalize"],
                     {}),
    "xlm-roberta-prompts": (encoder(XLMRobertaConfig, vocab_size=100, type_vocab_size=1, pad_token_id=1), "xlm", "mean",
                            ["normalize"], PROMPTS),
    "distilbert-cls": (DistilBertConfig(vocab_size=len(VOCABULARY), dim=16, hidden_dim=24, n_layers=2, n_heads=2,
                                        max_position_embeddings=32), "bert", "cls", [], {}),
    "mpnet-mean": (encoder(MPNetConfig, vocab_size=400, pad_token_id=1), "roberta", "mean", ["normalize"], {}),
    "deberta-mean": (encoder(DebertaConfig, vocab_size=400, **DISENTANGLED), "deberta", "mean", ["normalize"], {}),
    "deberta-v2-cls": (encoder(DebertaV2Config, vocab_size=100, position_buckets=8, share_att_key=True, norm_rel_ebd="layer_norm",
                               conv_kernel_size=3, **DISENTANGLED), "deberta-v2", "cls", [], {}),
    "llama-last": (decoder(LlamaConfig), "bos", "lasttoken", [], PROMPTS),
    "llama-left": (decoder(LlamaConfig), "eos", "lasttoken", ["normalize"], {**PROMPTS, "padding_side": "left"}),
    "llama-both": (decoder(LlamaConfig, **BOTH), "eos", "lasttoken", [], {}),
    "qwen2-both": (decoder(Qwen2Config, **BOTH), "eos", "mean", [], PROMPTS),
    "qwen2-windows": (decoder(Qwen2Config, use_sliding_window=True, sliding_window=3, max_window_layers=1), "eos", "mean", [], {}),
    "qwen3-last": (decoder(Qwen3Config, head_dim=8), "eos", "lasttoken", [], PROMPTS),
    "qwen3-both": (decoder(Qwen3Config, head_dim=8, **BOTH), "eos", "lasttoken", [], {}),
    "phi3-both": (decoder(Phi3Config, sliding_window=None, **BOTH), "eos", "mean", [], {}),
    "mistral-both": (decoder(MistralConfig, sliding_window=3, **BOTH), "bos", "mean", [], {}),
    "gemma-both": (decoder(GemmaConfig, head_dim=8, **BOTH), "bos", "mean", [], {}),
    "gemma3-both": (decoder(Gemma3TextConfig, **GEMMA3, **BOTH), "bos", "mean", [], {}),
    "embeddinggemma": (decoder(Gemma3TextConfig, **GEMMA3, use_bidirectional_attention=True), "bos", "mean",
                       [("identity", 16, 20), ("identity", 20, 16), "normalize"], PROMPTS),
}


def draw(model, generator):
    with torch.no_grad():
        for name, p in model.named_parameters():
            start = p[0].item() if p.dim() == 1 and "norm" in name.lower() else 0.0
            p.copy_(start + 0.3 * torch.randn(p.shape, generator=generator))
    return model.eval()


def followed(parts, generator):
    for part in parts:
        if part == "normalize":
            yield Normalize()
            continue
        act, size, to = part
        yield draw(Dense(size, to, bias=act == "tanh",
                         activation_function=torch.nn.Tanh() if act == "tanh" else torch.nn.Identity()), generator)


def make(name, config, style, pooling, after, more):
    generator = torch.Generator().manual_seed(len(name))
    folder, base = HERE / name, HERE / f"{name}.base"
    shutil.rmtree(folder, ignore_errors=True)
    more = dict(more)
    side = {"padding_side": more.pop("padding_side")} if "padding_side" in more else {}
    included = more.pop("include_prompt", True)
    draw(AutoModel.from_config(config, attn_implementation="eager"), generator).save_pretrained(base)
    tokenizer(style, model_max_length=16, **side).save_pretrained(base)
    body = Transformer(str(base), max_seq_length=16)
    pool = Pooling(16, pooling_mode=pooling, include_prompt=included)
    model = SentenceTransformer(modules=[body, pool, *followed(after, generator)], prompts=more or None, device="cpu")
    model.save(str(folder))
    shutil.rmtree(base)
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "expected.json").write_text(json.dumps(expected(folder)) + "\n")


def expected(folder):
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"})
    rows = lambda array: [[round(float(x), 8) for x in row] for row in array]
    return {
        "queries": QUERIES, "documents": DOCUMENTS,
        "queryVectors": rows(model.encode_query(QUERIES, batch_size=3)),
        "documentVectors": rows(model.encode_document(DOCUMENTS, batch_size=3)),
        "ids": [model.tokenizer(t)["input_ids"] for t in QUERIES],
    }


chosen = sys.argv[1:]
if chosen and not set(chosen) <= set(FOLDERS):
    print(json.dumps(expected(chosen[0])))
else:
    for name, made in FOLDERS.items():
        if not chosen or name in chosen:
            make(name, *made)
