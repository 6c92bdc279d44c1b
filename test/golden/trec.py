"""Figures of fuzzed rankings by pytrec_eval: writes trec.json.

    node trecRuns.ts FOLDER && python trec.py FOLDER     (pip install pytrec-eval-terrier)

For each run: SHA-256 of its two files, the questions that have figures, and the means of the figures over them.
"""

import hashlib
import json
import sys
from pathlib import Path

import pytrec_eval

HERE = Path(__file__).parent
MEASURES = {"recip_rank", "ndcg_cut.10", "recall.1,5,10,100"}
NAMES = ["recip_rank", "ndcg_cut_10", "recall_1", "recall_5", "recall_10", "recall_100"]

folder = Path(sys.argv[1])
runs = []
for i in range(len(list(folder.glob("*.run")))):
    ran, judged = (folder / f"{i}.run").read_bytes(), (folder / f"{i}.qrels").read_bytes()
    lines = [bytes.decode().split("\n")[:-1] for bytes in (ran, judged)]
    run, qrels = pytrec_eval.parse_run(lines[0]), pytrec_eval.parse_qrel(lines[1])
    found = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(run)
    figures = [sum(q[name] for q in found.values()) / len(found) for name in NAMES] if found else None
    runs.append({"sha256": hashlib.sha256(ran + judged).hexdigest(), "ranked": len(found), "figures": figures})

with open(HERE / "trec.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(run) for run in runs) + "\n]\n")
