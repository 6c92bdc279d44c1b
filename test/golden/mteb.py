"""Figures of graded rankings by MTEB, which has them of pytrec_eval: writes mteb.json.

    python mteb.py     (pip install mteb)

Each run has queries with scores of documents, judgements of grades -1 to 3, and MTEB's means at its cutoffs. In half of
the runs a document with the id of its query is left out first (ignore_identical_ids).
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
# This file would be taken for the package otherwise.
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]

import numpy as np  # noqa: E402
from mteb._evaluators.retrieval_metrics import calculate_retrieval_scores, make_score_dict  # noqa: E402

CUTOFFS = [1, 3, 5, 10, 20, 100, 1000]
rng = np.random.default_rng(11)
runs = []
for i in range(30):
    ignore = i % 2 == 1
    queries = [f"q{n}" for n in range(int(rng.integers(2, 7) if i < 24 else rng.integers(11, 26)))]
    pool = [f"d{n}" for n in range(int(rng.integers(12, 90)))] + queries
    results, qrels = {}, {}
    for query in queries:
        found = rng.choice(pool, size=int(rng.integers(1, len(pool))), replace=False)
        kind = int(rng.integers(0, 2))
        scores = rng.normal(size=len(found)) if kind == 0 else rng.integers(0, 5, len(found))
        results[query] = {str(doc): float(np.float32(score)) for doc, score in zip(found, scores)}
        judged = rng.choice(pool, size=int(rng.integers(1, 12)), replace=False)
        qrels[query] = {str(doc): int(rng.integers(-1, 4)) for doc in judged}
        if not any(grade > 0 for grade in qrels[query].values()) and i % 3:
            qrels[query][str(judged[0])] = 1
    kept = {
        query: {doc: score for doc, score in found.items() if not ignore or doc != query}
        for query, found in results.items()
    }
    if any(len(found) == 0 for found in kept.values()):
        continue
    _, ndcg, _map, recall, precision, naucs, mrr, naucs_mrr, hit_rate = calculate_retrieval_scores(kept, qrels, CUTOFFS)
    scores = make_score_dict(
        ndcg=ndcg,
        _map=_map,
        recall=recall,
        precision=precision,
        mrr=mrr,
        naucs=naucs,
        naucs_mrr=naucs_mrr,
        hit_rate=hit_rate,
        task_scores={},
    )
    # MTEB has no area where abstaining changes nothing.
    scores = {name: float(score) for name, score in scores.items() if score == score}
    scores = {name: round(score, 7) if name.startswith("nauc") else score for name, score in scores.items()}
    runs.append({"ignore": ignore, "results": results, "qrels": qrels, "scores": scores})

with open(HERE / "mteb.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(run) for run in runs) + "\n]\n")
