"""JOMED's second phase in PyTorch, a step at a time, and vectors of pictures. One line in, one of JSON out; first it writes its encoder.

    python pictures_step.py RECORD [--threads 2]
"""

import argparse
import copy
import json
import logging
import sys
import time
from pathlib import Path

import torch
import transformers
from PIL import Image
from transformers import AutoModelForCausalLM, AutoTokenizer, ViTConfig, ViTImageProcessor, ViTModel

from measured import peak, say

options = argparse.ArgumentParser()
options.add_argument("record", type=Path)
options.add_argument("--threads", type=int, default=2)
options = options.parse_args()
torch.set_num_threads(options.threads)
logging.disable(logging.WARNING)
transformers.utils.logging.disable_progress_bar()

record = json.loads((options.record / "record.json").read_text())
encoder = options.record / "encoder"
if not encoder.exists():
    torch.manual_seed(1)
    ViTModel(ViTConfig(**record["encoder"]), add_pooling_layer=False).save_pretrained(encoder)
    ViTImageProcessor().save_pretrained(encoder)
processor = ViTImageProcessor.from_pretrained(encoder)
frozen = ViTModel.from_pretrained(encoder, add_pooling_layer=False).eval().requires_grad_(False)


def vectors(model, paths):
    pixels = processor([Image.open(options.record / path).convert("RGB") for path in paths], return_tensors="pt")["pixel_values"]
    return torch.nn.functional.normalize(model(pixel_values=pixels).last_hidden_state[:, 0], dim=-1)


def features(step):
    size = record["pictures"]
    paths = [own["image"] for own in record["passages"][step * size:(step + 1) * size]]
    with torch.no_grad():
        parts = [vectors(frozen, paths[i:i + 16]) for i in range(0, size, 16)]
    return float(torch.cat(parts).abs().sum())


class Phase:
    """What stays as it is: the reader, and vectors of the corpus. What learns: the head, a copy of the encoder."""

    def __init__(self):
        self.tokenizer = AutoTokenizer.from_pretrained(record["reader"])
        self.reader = AutoModelForCausalLM.from_pretrained(record["reader"], dtype=torch.float32).eval().requires_grad_(False)
        paths = [own["image"] for own in record["passages"]]
        with torch.no_grad():
            self.corpus = torch.cat([vectors(frozen, paths[i:i + 16]) for i in range(0, len(paths), 16)])
        self.head = copy.deepcopy(frozen).requires_grad_(True)
        self.snapshot = copy.deepcopy(frozen)
        own = record["optimizer"]
        self.optimizer = torch.optim.AdamW(self.head.parameters(), lr=own["learning_rate"], weight_decay=own["weight_decay"],
                                           betas=(own["adam_beta1"], own["adam_beta2"]), eps=own["adam_epsilon"], fused=True)

    def verdicts(self, questions, docs):
        """Log-likelihoods of the options, each a token, given each passage alone: [questions, passages, options]."""
        ids = lambda text: self.tokenizer(text, add_special_tokens=False)["input_ids"]
        rows = [ids(f"background: {record['passages'][d]['text']}\n\n") + ids(question["question"])
                for question, own in zip(questions, docs.tolist()) for d in own]
        longest = max(map(len, rows))
        tokens = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        with torch.no_grad():
            logits = self.reader(input_ids=tokens, attention_mask=mask, position_ids=places, logits_to_keep=1).logits[:, -1]
        said = [ids(f" {option}") for option in questions[0]["options"]]
        assert all(len(own) == 1 for own in said)
        found = logits.log_softmax(-1)[:, [own[0] for own in said]]
        return found.view(len(questions), -1, len(said))

    def step(self, number):
        size, weight, k = record["batch"], record["weight"], record["candidates"]
        questions = record["questions"][number * size:(number + 1) * size]
        paths = [question["image"] for question in questions]
        with torch.no_grad():
            base = vectors(frozen, paths)
            asked = weight * vectors(self.snapshot, paths) + (1 - weight) * base
            docs = (asked @ self.corpus.T).topk(k, dim=-1).indices
        scores = torch.einsum("bd,bkd->bk", weight * vectors(self.head, paths) + (1 - weight) * base, self.corpus[docs])
        logp = self.verdicts(questions, docs).log_softmax(-1)
        right = torch.tensor([question["options"].index(question["answer"]) for question in questions])
        utility = logp.gather(-1, right[:, None, None].expand(-1, k, 1))[..., 0]
        target = (utility / record["gold"] + scores.detach() / record["temperature"]).softmax(-1)
        loss = -(target * (scores / record["temperature"]).log_softmax(-1)).sum(-1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.head.parameters(), record["optimizer"]["max_grad_norm"])
        self.optimizer.step()
        return float(loss.detach())


run = features if record["task"] == "features" else Phase().step
number = 0


def once():
    global number
    start, before = time.perf_counter(), time.process_time()
    loss = run(number)
    number += 1
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - before, "loss": loss}


once()
say({"startPeak": peak()})
for _ in sys.stdin:
    say({**once(), "peak": peak()})
