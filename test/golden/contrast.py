"""Contrastive losses of sentence-transformers on folders of sentences/: losses, and the gradient of every parameter.

Writes contrast.json (texts, losses) and contrast.safetensors (gradients). Dropout is off. Needs sentence-transformers 6.2.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.losses import CachedMultipleNegativesRankingLoss, MarginMSELoss, MultipleNegativesRankingLoss
from sentence_transformers.util import pairwise_cos_sim

HERE = Path(__file__).parent
TEXTS = {
    "anchors": ["which gene", "copper in the liver", "long fingers", "a red spot"],
    "positives": ["the gene", "wilson disease copper stays in the liver", "marfan syndrome", "eye"],
    "negatives": ["fault", "the liver", "long long long", "spot in the gene which"],
}
# Scores of each anchor's positive and negative.
TEACHER = [[0.9, 0.1], [0.7, 0.4], [0.2, 0.3], [1.0, -0.5]]
BOTH = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
LOSSES = {
    "mnrl": lambda model: MultipleNegativesRankingLoss(model, scale=20.0),
    "cached": lambda model: CachedMultipleNegativesRankingLoss(model, scale=20.0, mini_batch_size=3),
    "hard_negatives": lambda model: MultipleNegativesRankingLoss(model, hardness_mode="hard_negatives", hardness_strength=5.0),
    "in_batch_negatives": lambda model: MultipleNegativesRankingLoss(model, hardness_mode="in_batch_negatives", hardness_strength=9.0),
    "all_negatives": lambda model: MultipleNegativesRankingLoss(model, hardness_mode="all_negatives", hardness_strength=5.0),
    "margins": lambda model: MarginMSELoss(model, similarity_fct=pairwise_cos_sim),
    "both": lambda model: MultipleNegativesRankingLoss(model, scale=10.0, **BOTH),
}

told, tensors = {"texts": TEXTS, "teacher": TEACHER, "losses": {}}, {}
for name in ("bert-mean", "qwen3-both"):
    for kind, make in LOSSES.items():
        model = SentenceTransformer(str(HERE / "sentences" / name), device="cpu", model_kwargs={"attn_implementation": "eager"})
        model.eval()
        features = [model.tokenize(texts) for texts in TEXTS.values()]
        loss = make(model)(features, torch.tensor(TEACHER) if kind == "margins" else torch.zeros(4))
        loss.backward()
        told["losses"][f"{name}/{kind}"] = loss.item()
        body = model[0].auto_model
        tensors |= {f"{name}/{kind}/{path}": p.grad.clone() for path, p in body.named_parameters() if p.grad is not None}
(HERE / "contrast.json").write_text(json.dumps(told, indent=1) + "\n")
save_file(tensors, HERE / "contrast.safetensors")
