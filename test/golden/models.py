"""The two models, in PyTorch: BERT with a ColBERT head and Llama, with the parameter names of their checkpoints.

One sequence at a time and without padding, so that whatever a batched program does about padding shows as a difference.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c["num_attention_heads"]
        for name in ("query", "key", "value"):
            setattr(self, name, nn.Linear(c["hidden_size"], c["hidden_size"]))

    def forward(self, x, attended):
        """x [n, hidden]; attended [n]: the positions that may be looked at."""
        size = x.shape[1] // self.heads
        out = []
        for h in range(self.heads):
            part = slice(h * size, (h + 1) * size)
            q, k, v = self.query(x)[:, part], self.key(x)[:, part], self.value(x)[:, part]
            scores = (q @ k.T) / math.sqrt(size)
            scores = scores.masked_fill(~attended[None, :], -math.inf)
            out.append(F.softmax(scores, dim=-1) @ v)
        return torch.cat(out, dim=-1)


class Residual(nn.Module):
    def __init__(self, c, width):
        super().__init__()
        self.dense = nn.Linear(width, c["hidden_size"])
        self.LayerNorm = nn.LayerNorm(c["hidden_size"], eps=c["layer_norm_eps"])

    def forward(self, x, skip):
        return self.LayerNorm(self.dense(x) + skip)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self = SelfAttention(c)
        self.output = Residual(c, c["hidden_size"])


class Intermediate(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = nn.Linear(c["hidden_size"], c["intermediate_size"])


class BertLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention = Attention(c)
        self.intermediate = Intermediate(c)
        self.output = Residual(c, c["intermediate_size"])

    def forward(self, x, attended):
        y = self.attention.output(self.attention.self(x, attended), x)
        return self.output(F.gelu(self.intermediate.dense(y)), y)


class BertEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.position_embeddings = nn.Embedding(c["max_position_embeddings"], c["hidden_size"])
        self.token_type_embeddings = nn.Embedding(c["type_vocab_size"], c["hidden_size"])
        self.LayerNorm = nn.LayerNorm(c["hidden_size"], eps=c["layer_norm_eps"])

    def forward(self, ids):
        places, types = torch.arange(len(ids)), torch.zeros(len(ids), dtype=torch.long)
        total = self.word_embeddings(ids) + self.position_embeddings(places) + self.token_type_embeddings(types)
        return self.LayerNorm(total)


class BertEncoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(c) for _ in range(c["num_hidden_layers"]))


class Bert(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings = BertEmbeddings(c)
        self.encoder = BertEncoder(c)

    def forward(self, ids, attended):
        x = self.embeddings(ids)
        for layer in self.encoder.layer:
            x = layer(x, attended)
        return x


class ColBert(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bert = Bert(c)
        self.linear = nn.Linear(c["hidden_size"], c["dim"], bias=False)

    def forward(self, ids, attended):
        return F.normalize(self.linear(self.bert(ids, attended)), p=2, dim=-1)


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + self.eps) * self.weight


def rotate(x, theta):
    """Turns the plane (i, i + d/2) of row m by the angle m * theta^(-2i/d)."""
    n, d = x.shape
    angle = torch.arange(n, dtype=x.dtype)[:, None] * theta ** (-2 * torch.arange(d // 2, dtype=x.dtype) / d)[None, :]
    a, b = x[:, : d // 2], x[:, d // 2 :]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=-1)


class LlamaAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.groups, self.theta = c["num_attention_heads"], c["num_key_value_heads"], c["rope_theta"]
        self.size = c["hidden_size"] // self.heads
        shared = self.size * self.groups
        self.q_proj = nn.Linear(c["hidden_size"], c["hidden_size"], bias=False)
        self.k_proj = nn.Linear(c["hidden_size"], shared, bias=False)
        self.v_proj = nn.Linear(c["hidden_size"], shared, bias=False)
        self.o_proj = nn.Linear(c["hidden_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        causal = torch.ones(len(x), len(x)).tril() > 0
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        out = []
        for h in range(self.heads):
            g = h // (self.heads // self.groups)
            own, group = slice(h * self.size, (h + 1) * self.size), slice(g * self.size, (g + 1) * self.size)
            scores = rotate(q[:, own], self.theta) @ rotate(k[:, group], self.theta).T / math.sqrt(self.size)
            out.append(F.softmax(scores.masked_fill(~causal, -math.inf), dim=-1) @ v[:, group])
        return self.o_proj(torch.cat(out, dim=-1))


class LlamaMlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = LlamaAttention(c)
        self.post_attention_layernorm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = LlamaMlp(c)

    def forward(self, x):
        y = x + self.self_attn(self.input_layernorm(x))
        return y + self.mlp(self.post_attention_layernorm(y))


class LlamaModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(LlamaLayer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])

    def forward(self, ids):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Llama(nn.Module):
    """Logits of the next token after each token of one sequence."""

    def __init__(self, c):
        super().__init__()
        self.model = LlamaModel(c)
        if not c["tie_word_embeddings"]:
            self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)

    def forward(self, ids):
        head = self.lm_head.weight if hasattr(self, "lm_head") else self.model.embed_tokens.weight
        return self.model(ids) @ head.T


def draw(model, rng, std):
    """Weights that leave no term out: norms that are not 1, biases that are not 0. Float32 values, in float64."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.from_numpy(rng.standard_normal(tuple(p.shape)))
            value = noise * std if p.dim() > 1 else 0.1 * noise + (1 if name.lower().endswith("norm.weight") else 0)
            p.data = value.float().double()
    return model


def undecayed(model):
    """Names of the biases and of the weights of norms."""
    inside = {f"{m}.{p}" for m, module in model.named_modules() if isinstance(module, (nn.LayerNorm, RmsNorm))
              for p, _ in module.named_parameters(recurse=False)}
    return inside | {name for name, _ in model.named_parameters() if name.endswith(".bias")}
