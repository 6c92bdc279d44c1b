"""The joint step in PyTorch: the recorded batches, from the same first weights. One line in, one line of JSON out.

    python joint_step.py RECORD [--compile] [--threads 2]

Searching, drawing and ranking are done here too; what is learned from is the recorded draw, so that every batch has the
recorded shape and the losses must be the recorded ones.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from measured import say

options = argparse.ArgumentParser()
options.add_argument("record", type=Path)
options.add_argument("--compile", action="store_true")
options.add_argument("--threads", type=int, default=2)
options = options.parse_args()
torch.set_num_threads(options.threads)

record = json.loads((options.record / "record.json").read_text())
settings = record["settings"]


class BertLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, w = c["hidden_size"], c["intermediate_size"]
        self.heads = c["num_attention_heads"]
        self.query, self.key, self.value, self.mix = (nn.Linear(h, h) for _ in range(4))
        self.widen, self.narrow = nn.Linear(h, w), nn.Linear(w, h)
        self.norm1, self.norm2 = (nn.LayerNorm(h, eps=c.get("layer_norm_eps", 1e-12)) for _ in range(2))

    def forward(self, x, mask):
        b, n, h = x.shape
        q, k, v = (f(x).view(b, n, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(b, n, h)
        y = self.norm1(self.mix(mixed) + x)
        return self.norm2(self.narrow(F.gelu(self.widen(y))) + y)


class ColBert(nn.Module):
    NAMES = {"attention.self.query": "query", "attention.self.key": "key", "attention.self.value": "value",
             "attention.output.dense": "mix", "attention.output.LayerNorm": "norm1", "intermediate.dense": "widen",
             "output.dense": "narrow", "output.LayerNorm": "norm2"}

    def __init__(self, c):
        super().__init__()
        h = c["hidden_size"]
        self.words, self.positions = nn.Embedding(c["vocab_size"], h), nn.Embedding(c["max_position_embeddings"], h)
        self.types, self.norm = nn.Embedding(2, h), nn.LayerNorm(h, eps=c.get("layer_norm_eps", 1e-12))
        self.layers = nn.ModuleList(BertLayer(c) for _ in range(c["num_hidden_layers"]))
        self.linear = nn.Linear(h, c["dim"], bias=False)

    @classmethod
    def local(cls, name):
        for theirs, ours in {"bert.embeddings.word_embeddings": "words", "bert.embeddings.position_embeddings":
                             "positions", "bert.embeddings.token_type_embeddings": "types",
                             "bert.embeddings.LayerNorm": "norm", "bert.encoder.layer": "layers"}.items():
            name = name.replace(theirs, ours)
        for theirs, ours in cls.NAMES.items():
            name = name.replace(theirs, ours)
        return name

    def forward(self, ids, mask):
        x = self.words(ids) + self.positions.weight[: ids.shape[1]] + self.types.weight[0]
        x, mask = self.norm(x), mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return F.normalize(self.linear(x), dim=-1)


class LlamaLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, w = c["hidden_size"], c["intermediate_size"]
        self.heads, self.size, self.eps = c["num_attention_heads"], h // c["num_attention_heads"], 1e-6
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(h, h, bias=False) for _ in range(4))
        self.gate_proj, self.up_proj = (nn.Linear(h, w, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(w, h, bias=False)
        self.input_layernorm, self.post_attention_layernorm = (nn.RMSNorm(h, eps=1e-6) for _ in range(2))

    def rotated(self, x, cos, sin):
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

    def forward(self, x, cos, sin):
        b, n, h = x.shape
        y = self.input_layernorm(x)
        q, k, v = (f(y).view(b, n, self.heads, self.size).transpose(1, 2)
                   for f in (self.q_proj, self.k_proj, self.v_proj))
        q, k = self.rotated(q, cos, sin), self.rotated(k, cos, sin)
        # Padding stands at the end, where no token that counts looks.
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, h)
        x = x + self.o_proj(mixed)
        y = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(LlamaLayer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = nn.RMSNorm(c["hidden_size"], eps=1e-6)
        half = c["hidden_size"] // c["num_attention_heads"] // 2
        angles = torch.arange(c["max_position_embeddings"])[:, None] * c["rope_theta"] ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    @staticmethod
    def local(name):
        return name.removeprefix("model.").replace("self_attn.", "").replace("mlp.", "")

    def forward(self, ids, rows, targets):
        """Cross-entropy of the target after each of the given rows of the flattened tokens."""
        n = ids.shape[1]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cos[:n], self.sin[:n])
        chosen = self.norm(x).flatten(0, 1)[rows]
        return F.cross_entropy(chosen @ self.embed_tokens.weight.T, targets, reduction="none")


def max_sim(queries, docs, keep=None):
    """[b, q, d] and [n, l, d] to [b, n]; vectors that are not kept do not count."""
    n, l, d = docs.shape
    b, q, _ = queries.shape
    similarity = (docs.reshape(n * l, d) @ queries.reshape(b * q, d).T).view(n, l, b * q)
    if keep is not None:
        similarity = similarity.masked_fill(~keep[:, :, None], -9999)
    return similarity.amax(dim=1).view(n, b, q).sum(-1).T


def scaled(scores):
    low, high = scores.amin(-1, keepdim=True), scores.amax(-1, keepdim=True)
    return 2 * (scores - low) / (high - low) - 1


def rank_losses(encoder, batch):
    scores = max_sim(encoder(batch["queryIds"], batch["queryMask"]), encoder(batch["docIds"], batch["docMask"]),
                     batch["docKeep"])
    own = scores.gather(1, batch["places"])
    s = scaled(own)[:, : batch["wanted"].shape[1]]
    return (batch["wanted"] * F.softplus(s[:, None, :] - s[:, :, None])).sum((1, 2))


def tensors(run):
    """A recorded run's arrays, in the shapes its program's name tells."""
    out = {"name": run["name"]}
    shape = [int(x) for x in run["name"].split()[1].split("/")[0].split("x")]
    flags = {"mask", "queryMask", "docMask", "docKeep"}
    for name, values in run.items():
        if name == "name":
            continue
        kind = torch.bool if name in flags else torch.float32 if name in ("weights", "wanted") else torch.int64
        out[name] = torch.tensor(values, dtype=kind)
    if run["name"].startswith("retriever.learn"):
        b, n, l = shape
        m = round((out["wanted"].numel() / b) ** 0.5)
        sizes = {"queryIds": (b, -1), "queryMask": (b, -1), "docIds": (n, l), "docMask": (n, l), "docKeep": (n, l),
                 "places": (b, -1), "wanted": (b, m, m)}
    else:
        sizes = {name: (shape[0], shape[1]) for name in ("ids", "mask") if name in out}
    for name, size in sizes.items():
        out[name] = out[name].view(size)
    return out


def load(cls, name):
    model = cls(record[name])
    weights = load_file(options.record / f"{name}.safetensors")
    model.load_state_dict({cls.local(key): value for key, value in weights.items()})
    return model


def adamw(model, peak):
    params = list(model.parameters())
    groups = [{"params": [p for p in params if p.dim() > 1], "weight_decay": settings["weight_decay"]},
              {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, betas=(settings["adam_beta1"], settings["adam_beta2"]),
                             eps=settings["adam_epsilon"], fused=True)


class Learner:
    def __init__(self, model, peak):
        self.model, self.peak = model, peak
        self.first = {k: v.clone() for k, v in model.state_dict().items()}
        self.restart()

    def restart(self):
        self.model.load_state_dict(self.first)
        self.optimizer, self.updates = adamw(self.model, self.peak), 0

    def learn(self, loss):
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings["max_grad_norm"])
        self.updates += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * min(1, self.updates / settings["warmup_steps"])
        self.optimizer.step()


class Step:
    def __init__(self):
        self.retriever = Learner(load(ColBert, "retriever"), settings["lr_retriever"])
        self.reader = Learner(load(Llama, "reader"), settings["learning_rate"])
        wrap = torch.compile if options.compile else (lambda f: f)
        if options.compile:
            torch._dynamo.config.cache_size_limit = 64
        self.encode, self.read = wrap(self.retriever.model), wrap(self.reader.model)
        self.rank = wrap(lambda batch: rank_losses(self.retriever.model, batch))
        self.steps = [[tensors(run) for run in step["runs"]] for step in record["steps"]]
        self.index = self.build()

    @torch.no_grad()
    def build(self):
        """Vectors of all passages, those of a length together; those that do not count repeat the passage's first."""
        by_length, skip = {}, torch.tensor(record["skip"])
        for chunk in map(tensors, record["index"]):
            vectors = self.retriever.model(chunk["ids"], chunk["mask"])
            keep = ~torch.isin(chunk["ids"], skip)
            by_length.setdefault(vectors.shape[1], []).append(torch.where(keep[:, :, None], vectors, vectors[:, :1]))
        return [torch.cat(all) for all in by_length.values()]

    @torch.no_grad()
    def search(self, run):
        queries = self.encode(run["ids"], run["mask"])
        scores = torch.cat([max_sim(queries, docs) for docs in self.index], dim=1)
        return scores.topk(settings["n_candidates"], dim=1)

    @torch.no_grad()
    def draw(self, found):
        noise = -torch.log(-torch.log(torch.rand_like(found.values)))
        drawn = (scaled(found.values) + noise).topk(settings["retriever_n_context"], dim=1).indices
        return found.indices.gather(1, drawn), found.indices.gather(1, drawn[:, : settings["n_context"]])

    @torch.no_grad()
    def likelihoods(self, run):
        nll = self.read(run["ids"], run["rows"], run["targets"]) * run["weights"]
        count, length = run["ids"].shape
        own = run["rows"] // length
        total, weight = (torch.zeros(count).index_add_(0, own, t) for t in (nll, run["weights"]))
        return (total / weight)[weight > 0]

    def __call__(self, runs):
        found = self.search(runs[0])
        self.draw(found)
        nll = torch.cat([self.likelihoods(run) for run in runs if run["name"].startswith("reader.score")])
        (nll[:, None] < nll[None, :]).float()
        rank = self.rank(runs[-2])
        self.retriever.learn(rank.mean())
        batch = runs[-1]
        read = self.read(batch["ids"], batch["rows"], batch["targets"]) * batch["weights"]
        self.reader.learn(read.sum())
        return {"retriever": rank.mean().item(), "reader": read.sum().item(), "scores": found.values, "nll": nll}

    def block(self):
        self.retriever.restart()
        self.reader.restart()
        began, before = time.perf_counter(), time.process_time()
        told = [self(runs) for runs in self.steps]
        return told, {"seconds": time.perf_counter() - began, "cpu": time.process_time() - before}


def check(told):
    """The greatest relative difference of the losses, and of the first step's scores and likelihoods, to the record."""
    def off(a, b):
        return max(abs(x - y) / max(1, abs(y)) for x, y in zip(a, b, strict=True))

    def mean(values):
        return sum(values) / len(values)

    first, step = told[0], record["steps"][0]
    return {
        "retriever": off([t["retriever"] for t in told], [mean(s["retrieverLoss"]) for s in record["steps"]]),
        "reader": off([t["reader"] for t in told], [mean(s["readerLoss"]) for s in record["steps"]]),
        "scores": off(first["scores"].flatten().tolist(), step["docScore"]),
        "nll": off(sorted(first["nll"].tolist()), sorted(step["nll"])),
    }


step = Step()
began = time.perf_counter()
told, _ = step.block()
say({"ready": time.perf_counter() - began, "off": check(told), "torch": torch.__version__})
for _ in sys.stdin:
    say(step.block()[1])
