"""The contrastive step in sentence-transformers: the recorded model and batches. One line in, one of JSON out.

    python contrast_step.py RECORD [--threads 2]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss, MultipleNegativesRankingLoss

from measured import peak, say

options = argparse.ArgumentParser()
options.add_argument("record", type=Path)
options.add_argument("--threads", type=int, default=2)
options = options.parse_args()
torch.set_num_threads(options.threads)

record = json.loads((options.record / "record.json").read_text())
settings = record["optimizer"]


model = SentenceTransformer(str(options.record / "model"), device="cpu")
model.max_seq_length = record["length"]
model.train()
if record["miniBatch"]:
    judge = CachedMultipleNegativesRankingLoss(model, scale=record["scale"], mini_batch_size=record["miniBatch"])
else:
    judge = MultipleNegativesRankingLoss(model, scale=record["scale"])
learning = [p for p in model.parameters() if p.requires_grad]
groups = [{"params": [p for p in learning if p.dim() > 1], "weight_decay": settings["weight_decay"]},
          {"params": [p for p in learning if p.dim() == 1], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"], fused=True,
                              betas=(settings["adam_beta1"], settings["adam_beta2"]), eps=settings["adam_epsilon"])
batches = iter(record["batches"])


def step():
    batch = next(batches)
    optimizer.zero_grad(set_to_none=True)
    features = [model.preprocess(batch[name]) for name in ("anchors", "positives", "negatives")]
    loss = judge(features, None)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learning, settings["max_grad_norm"])
    optimizer.step()
    return loss.item()


step()
say({"startPeak": peak()})
for _ in sys.stdin:
    start, before = time.perf_counter(), time.process_time()
    loss = step()
    say({"seconds": time.perf_counter() - start, "cpu": time.process_time() - before, "loss": loss, "peak": peak()})
