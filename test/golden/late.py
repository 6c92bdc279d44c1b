"""Contrastive losses of PyLate on a tiny late-interaction retriever: losses, and the gradient of every parameter.

Writes late/ (the folder as PyLate saves it), late.json (texts, teacher scores, losses) and late.safetensors (gradients).
Dropout is off. Needs pylate 1.6.0, in an environment of its own.

PyLate counts a masked token of a document as similarity 0, ColBERT and we as none: weights are drawn so often that every
query token finds something better than 0 in every document, where both are the same. The gradients of CachedContrastive
are those of the sum over queries (1.6.0 divides only the loss that it returns): they are written as those of the mean.
"""

import json
import shutil
from pathlib import Path

import torch
from pylate import losses, models
from safetensors.torch import save_file
from tokenizers import Tokenizer, models as tokens, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

HERE = Path(__file__).parent
TEXTS = {
    "anchors": ["which gene", "copper in the liver", "long fingers", "a red spot"],
    "positives": ["the gene, the eye", "wilson disease: copper stays in the liver", "marfan syndrome", "eye"],
    "negatives": ["fault", "the liver", "long, long", "spot in the gene which"],
}
# Scores of a query's positive and of all other passages, in their order.
TEACHER = [[0.9, 0.1, 0.0, 0.3, 0.2, 0.6, 0.1, 0.8], [0.1, 1.0, 0.2, 0.0, 0.4, 0.7, 0.1, 0.3],
           [0.0, 0.1, 0.2, 0.1, 0.0, 0.3, 0.9, 0.2], [0.5, 0.0, 0.1, 1.0, 0.0, 0.2, 0.3, 0.6]]
WORDS = sorted({w for texts in TEXTS.values() for t in texts for w in t.replace(",", "").replace(":", "").split()})
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[Q] ", "[D] "]
VOCABULARY = {w: i for i, w in enumerate([*SPECIAL, ",", ":", *WORDS])}


def base(folder):
    own = Tokenizer(tokens.WordLevel(VOCABULARY, unk_token="[UNK]"))
    own.normalizer = normalizers.Lowercase()
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    own.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [(n, VOCABULARY[n]) for n in ("[CLS]", "[SEP]")])
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    PreTrainedTokenizerFast(tokenizer_object=own, **names, model_max_length=24).save_pretrained(folder)
    config = BertConfig(vocab_size=len(VOCABULARY), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                        num_attention_heads=2, max_position_embeddings=32, pad_token_id=0,
                        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    BertModel(config).save_pretrained(folder)


def make(folder, generator):
    base(folder / "base")
    model = models.ColBERT(str(folder / "base"), embedding_size=8, query_prefix="[Q] ", document_prefix="[D] ", query_length=10,
                           document_length=14, skiplist_words=[",", ":"], attend_to_expansion_tokens=True, device="cpu")
    with torch.no_grad():
        for name, p in model.named_parameters():
            start = p[0].item() if p.dim() == 1 and "norm" in name.lower() else 0.0
            p.copy_(start + 0.3 * torch.randn(p.shape, generator=generator))
    shutil.rmtree(folder / "base")
    return model.eval()


def features(model):
    texts = TEXTS["positives"] + TEXTS["negatives"]
    every = model.tokenize(texts, is_query=False)
    part = lambda at: {name: value[at] for name, value in every.items()}
    return model.tokenize(TEXTS["anchors"], is_query=True), part(slice(0, 4)), part(slice(4, 8)), every


def vectors(model, own):
    return torch.nn.functional.normalize(model(dict(own))["token_embeddings"], dim=-1)


def positive(model):
    queries, _, _, every = features(model)
    with torch.no_grad():
        similar = torch.einsum("ash,bth->abst", vectors(model, queries), vectors(model, every))
    counted = model.skiplist_mask(every["input_ids"], model.skiplist) & every["attention_mask"].bool()
    return bool((similar.masked_fill(~counted[None, :, None], -1).amax(-1) > 0.02).all())


folder = HERE / "late"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
generator = torch.Generator().manual_seed(1)
model = make(folder, generator)
while not positive(model):
    model = make(folder, generator)
model.save(str(folder))
(folder / "README.md").unlink(missing_ok=True)

told, tensors = {"texts": TEXTS, "teacher": TEACHER, "losses": {}}, {}


def note(kind, loss, by=1):
    model.zero_grad()
    loss.backward()
    told["losses"][kind] = loss.item()
    named = {f"{kind}/{path}": p.grad / by for path, p in model.named_parameters() if p.grad is not None}
    tensors.update({name.replace("0.auto_model.", "").replace("1.linear.", "linear."): grad for name, grad in named.items()})


queries, positives, negatives, every = features(model)
note("contrastive", losses.Contrastive(model, temperature=1.0)([queries, positives, negatives]))
note("warm", losses.Contrastive(model, temperature=2.5)([queries, positives, negatives]))
note("cached", losses.CachedContrastive(model, mini_batch_size=3, temperature=1.0)([queries, positives, negatives]), by=4)
own = {name: value.repeat(4, 1) for name, value in every.items()}
for kind, normalised in (("kl", False), ("kl-normalised", True)):
    note(kind, losses.Distillation(model, normalize_scores=normalised)([queries, own], torch.tensor(TEACHER)))
(HERE / "late.json").write_text(json.dumps(told, indent=1) + "\n")
save_file(tensors, HERE / "late.safetensors")
print(told["losses"], sorted(tensors)[:6])
