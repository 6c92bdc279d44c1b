"""The LoRA step in PyTorch with transformers and peft: the recorded batch, base and adapter. One line in, one of JSON out.

    python lora_step.py RECORD [--threads 2]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from peft import PeftModel
from torch.nn import functional as F
from transformers import LlamaForCausalLM

from measured import peak, say

options = argparse.ArgumentParser()
options.add_argument("record", type=Path)
options.add_argument("--threads", type=int, default=2)
options = options.parse_args()
torch.set_num_threads(options.threads)

record = json.loads((options.record / "record.json").read_text())
settings, answer = record["optimizer"], record["answer"]


base = LlamaForCausalLM.from_pretrained(options.record / "base", dtype=torch.float32, attn_implementation="sdpa")
model = PeftModel.from_pretrained(base, options.record / "adapter", is_trainable=True)
model.train()
learning = [p for p in model.parameters() if p.requires_grad]
groups = [{"params": [p for p in learning if p.dim() > 1], "weight_decay": settings["weight_decay"]},
          {"params": [p for p in learning if p.dim() == 1], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"], fused=True,
                              betas=(settings["adam_beta1"], settings["adam_beta2"]), eps=settings["adam_epsilon"])
ids = torch.tensor(record["ids"]).view(record["rows"], record["length"])
targets = ids[:, -answer:].flatten()


def step():
    optimizer.zero_grad(set_to_none=True)
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=answer + 1).logits[:, :-1]
    loss = F.cross_entropy(logits.flatten(0, 1), targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learning, settings["max_grad_norm"])
    optimizer.step()
    return loss.item()


began = time.perf_counter()
step()
say({"parameters": sum(p.numel() for p in model.parameters()), "trainable": sum(p.numel() for p in learning),
     "firstStep": time.perf_counter() - began, "startPeak": peak()})
for _ in sys.stdin:
    start, before = time.perf_counter(), time.process_time()
    loss = step()
    say({"seconds": time.perf_counter() - start, "cpu": time.process_time() - before, "loss": loss, "peak": peak()})
