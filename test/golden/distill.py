"""What a reader teaches a retriever by its attention, and by likelihoods the other way round, in float64: distill.json.

`attention`: of checkpoints of architectures/, Atlas's attention distillation in a decoder: softmax attention times the norm
of the value, summed over a part's tokens, mean over layers, heads and the tokens that predict the answer, from
transformers' own attention weights and value projections. `replug`: losses of REPLUG LSR and their gradients at the scores.
"""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
NAMES = ["llama", "llama-biases", "mistral", "qwen3", "phi3", "gemma3"]
B, N, T, PARTS = 2, 18, 4, 3

torch.set_default_dtype(torch.float64)


def masses(model, ids, parts, at):
    """[b, PARTS]"""
    c = model.config
    size = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    groups, heads = c.num_key_value_heads, c.num_attention_heads
    values = []

    def keep(fused):
        def hook(_, __, output):
            own = output[..., -groups * size:] if fused else output
            values.append(own.reshape(B, N, groups, size))
        return hook

    for layer in model.model.layers:
        attention = layer.self_attn
        if hasattr(attention, "v_proj"):
            attention.v_proj.register_forward_hook(keep(False))
        else:
            attention.qkv_proj.register_forward_hook(keep(True))
    with torch.no_grad():
        found = model(input_ids=ids, output_attentions=True).attentions
    total = torch.zeros(B, PARTS)
    for weights, value in zip(found, values):
        norms = value.norm(dim=-1).repeat_interleave(heads // groups, dim=2)
        for b in range(B):
            for head in range(heads):
                for t in at[b]:
                    for j in range(N):
                        if parts[b][j] >= 0:
                            total[b, parts[b][j]] += weights[b, head, t, j] * norms[b, j, head]
    return total / (len(found) * heads * T)


def attention(name, generator):
    model = AutoModelForCausalLM.from_pretrained(
        HERE / "architectures" / name, dtype=torch.float64, attn_implementation="eager"
    ).eval()
    ids = torch.randint(4, 40, (B, N), generator=generator)
    parts = [[-1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2] + [-1] * 6, [-1, -1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1] + [2] + [-1] * 5]
    at = [[13, 14, 15, 16], [12, 13, 14, 15]]
    return {"name": name, "ids": ids.tolist(), "parts": parts, "at": at,
            "mass": masses(model, ids, parts, at).tolist()}


def replug(scores, nll, gamma, beta):
    s = torch.tensor(scores, requires_grad=True)
    own = torch.log_softmax(s / gamma, 0)
    wanted = torch.log_softmax(torch.exp(-torch.tensor(nll)) / beta, 0)
    loss = torch.nn.functional.kl_div(wanted, own, reduction="sum", log_target=True)
    loss.backward()
    return {"scores": scores, "nll": nll, "gamma": gamma, "beta": beta, "logTarget": wanted.tolist(),
            "loss": loss.item(), "gradient": s.grad.tolist()}


def main():
    generator = torch.Generator().manual_seed(5)
    cases = [
        ([0.5, 0.25, -0.25, 1.0], [0.5, 2.0, 0.125, 4.0], 0.1, 0.1),
        ([12.0, 11.5, 11.75, 9.0], [0.03125, 1.0, 8.0, 0.0], 1.0, 0.05),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], 0.5, 0.25),
        ([0.0, 3.0], [0.0, 9.0], 0.25, 0.004),
    ]
    described = {
        "attention": [attention(name, generator) for name in NAMES],
        "replug": [replug(*case) for case in cases],
    }
    (HERE / "distill.json").write_text(json.dumps(described) + "\n")


main()
