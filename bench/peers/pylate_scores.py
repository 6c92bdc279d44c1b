"""An exported retriever in PyLate: how far its scores are from those of the run file that `evaluate` wrote.

    python pylate_scores.py MODEL RUN PASSAGES QUESTIONS [--questions 20] [--depth 10]
"""

import argparse
import json
from itertools import groupby

import torch
from pylate import models

options = argparse.ArgumentParser()
for name in ("model", "run", "passages", "questions_file"):
    options.add_argument(name)
options.add_argument("--questions", type=int, default=20)
options.add_argument("--depth", type=int, default=10)
options = options.parse_args()


def records(path, key):
    with open(path) as lines:
        return {record[key]: record for record in map(json.loads, lines)}


passages, questions = records(options.passages, "_id"), records(options.questions_file, "id")
model = models.ColBERT(options.model, device="cpu")


def vectors(texts, is_query):
    return [torch.as_tensor(v) for v in model.encode(texts, is_query=is_query)]


with open(options.run) as lines:
    rankings = [(asked, list(rows)) for asked, rows in groupby(map(str.split, lines), lambda row: row[0])]
worst = 0.0
for asked, rows in rankings[: options.questions]:
    found = [(passages[row[2]], float(row[4])) for row in rows[: options.depth]]
    texts = [f"{p.get('title', '')} {p['text']}".strip() for p, _ in found]
    [query] = vectors([questions[asked]["question"]], True)
    for doc, (_, ours) in zip(vectors(texts, False), found, strict=True):
        worst = max(worst, abs((query @ doc.T).amax(1).sum().item() - ours))
print(f"{min(options.questions, len(rankings))} questions, {options.depth} passages each: off by {worst:.1e} at most")
