"""Hard negatives by sentence-transformers: writes mining.json.

    python mining.py     (pip install sentence-transformers datasets)

The model's scores are given: a query's embedding is its row of scores, a passage's is a unit vector. Each case has the
options, and the records in the form that they ask for. Nothing is drawn at random.
"""

import json
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers.util import mine_hard_negatives

HERE = Path(__file__).parent
QUERIES, PASSAGES = 7, 40
rng = np.random.default_rng(3)
scores = np.round(rng.uniform(-0.4, 1.0, (QUERIES, PASSAGES)), 4).astype(np.float32)
scores[5] -= 0.9
texts = [f"passage number {i} says word{i} word{i * 7 % 40} of its own" for i in range(PASSAGES)]
queries = [f"query number {i}" for i in range(QUERIES)]
positives = [[3], [10, 4], [1], [22, 7, 30], [0], [39], [12]]
for q, own in enumerate(positives):
    scores[q, own] = np.float32(0.55 if q != 5 else -0.2) + np.float32(0.1) * np.arange(len(own), dtype=np.float32)


class Given:
    device = torch.device("cpu")

    def encode_query(self, asked, **_):
        return scores[[queries.index(query) for query in asked]]

    def encode_document(self, corpus, **_):
        return np.eye(PASSAGES, dtype=np.float32)[[texts.index(text) for text in corpus]]

    def similarity(self, a, b):
        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a, b):
        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(-1)

    @property
    def model_card_data(self):
        raise AttributeError


pairs = [(q, p) for q, own in enumerate(positives) for p in own]
dataset = Dataset.from_dict(
    {"anchor": [queries[q] for q, _ in pairs], "positive": [texts[p] for _, p in pairs]}
)
options = [
    {},
    {"num_negatives": 5},
    {"range_min": 2, "num_negatives": 4},
    {"absolute_margin": 0.05},
    {"relative_margin": 0.05},
    {"relative_margin": 0.05, "range_min": 1},
    {"relative_margin": 0.2, "absolute_margin": 0.01, "num_negatives": 6},
    {"max_score": 0.4, "num_negatives": 4},
    {"min_score": 0.7, "num_negatives": 8},
    {"max_score": 0.6, "min_score": 0.3, "range_max": 12},
    {"absolute_margin": 0.1, "range_min": 3, "range_max": 9, "num_negatives": 2},
    {"relative_margin": 0.9, "range_max": 20},
]
cases = []
for i, own in enumerate(options):
    for form in ["triplet", "n-tuple", "labeled-pair", "labeled-list"]:
        for output_scores in [False, True]:
            if i > 3 and (form, output_scores) not in [("labeled-list", True), ("n-tuple", False)]:
                continue
            mined = mine_hard_negatives(
                dataset,
                Given(),
                corpus=texts,
                output_format=form,
                output_scores=output_scores,
                verbose=False,
                **own,
            )
            names = mined.column_names
            rows = [[row[name] for name in names] for row in mined.to_list()]
            cases.append(
                {"options": own, "output_format": form, "output_scores": output_scores, "columns": names, "rows": rows}
            )


def short(value):
    """Texts as their numbers: q3, p17."""
    if isinstance(value, list):
        return [short(one) for one in value]
    if isinstance(value, str):
        return f"q{queries.index(value)}" if value in queries else f"p{texts.index(value)}"
    return value


with open(HERE / "mining.json", "w") as file:
    lines = [json.dumps({**case, "rows": short(case["rows"])}) for case in cases]
    file.write(
        json.dumps(
            {"queries": queries, "texts": texts, "positives": positives, "scores": [[float(x) for x in row] for row in scores.tolist()]}
        )[:-1]
    )
    file.write(', "cases": [\n' + ",\n".join(lines) + "\n]}\n")
