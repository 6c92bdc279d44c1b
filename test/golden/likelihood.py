"""Likelihoods of a reader with tied embeddings, and LLM-Rank losses of chosen rows: likelihood.json, .safetensors."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from joint import MARKS, WORDS, sentence, settings
from models import Llama, draw
from objective import READER_SPECIAL, answer_loss, llm_rank, prompt, token_losses

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)

VOCABULARY = READER_SPECIAL + MARKS + WORDS
config = {
    "vocab_size": len(VOCABULARY), "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 3, "max_position_embeddings": 96, "rms_norm_eps": 1e-5,
    "rope_theta": 10000, "tie_word_embeddings": True, "hidden_dropout_prob": 0, "bos_token_id": 2, "eos_token_id": 3,
    "pad_token_id": 0,
}

# Scores of the candidates, of which the first are those drawn, and the likelihoods of the drawn.
ranks = [
    {"about": "no ties", "scores": [1.5, -0.25, 3.0, 0.5, 2.0, -1.0], "nll": [2.0, 1.0, 1.5, 0.25]},
    {"about": "drawn extremes", "scores": [-1.0, 3.0, 0.5, 1.0, 2.0, 0.0], "nll": [0.5, 2.5, 1.5, 0.75]},
    {"about": "ties of two likelihoods", "scores": [1.5, -0.25, 3.0, 0.5, 2.0, -1.0], "nll": [1.0, 1.0, 1.5, 0.25]},
    {"about": "all likelihoods equal", "scores": [0.5, 1.25, 2.5, 0.0, 3.5, -2.0], "nll": [0.75, 0.75, 0.75, 0.75]},
    {"about": "all scores equal", "scores": [1.25, 1.25, 1.25, 1.25, 1.25, 1.25], "nll": [2.0, 1.0, 1.5, 0.25]},
    {"about": "all of both equal", "scores": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "nll": [1.0, 1.0, 1.0, 1.0]},
    {"about": "scores nearly equal", "scores": [1.0, 1.0009765625, 1.0, 1.0, 1.001953125, 0.9990234375],
     "nll": [3.0, 1.0, 2.0, 0.5]},
    {"about": "two of the drawn scores equal", "scores": [0.5, 0.5, 2.0, 1.0, 3.0, -1.0], "nll": [1.0, 2.0, 0.5, 1.5]},
]


def main():
    rng = np.random.default_rng(2)
    reader = draw(Llama(config), rng, 0.4)
    passages = [sentence(rng, 2, 12) for _ in range(5)]
    asked = [{"question": sentence(rng, 2, 8), "answer": " ".join(sentence(rng, 1, 5).split()[:-1])} for _ in range(3)]
    out = {f"initial/reader/{path}": p.detach().float().clone() for path, p in reader.named_parameters()}

    with torch.no_grad():
        for q, one in enumerate(asked):
            context = [passages[q + 1], passages[q]]
            ids, _ = prompt(VOCABULARY, settings, context, one["question"], one["answer"])
            out[f"tokens/{q}"] = token_losses(reader, ids).float()
            nll = [answer_loss(reader, VOCABULARY, settings, [text], one["question"], one["answer"])
                   for text in passages]
            out[f"answer/{q}"] = torch.stack(nll).float()

    for r, row in enumerate(ranks):
        for ties, mean in (("skip", "pairs"), ("later", "pairs_plus_one")):
            scores = torch.tensor(row["scores"], requires_grad=True)
            loss = llm_rank(scores, list(range(len(row["nll"]))), row["nll"], ties, mean)
            out[f"rank/{r}/{ties}/loss"] = loss.detach().float().reshape(1)
            if loss.requires_grad:
                loss.backward()
            out[f"rank/{r}/{ties}/gradient"] = (torch.zeros_like(scores) if scores.grad is None else scores.grad).float()

    save_file(out, HERE / "likelihood.safetensors")
    prompts = {k: settings[k] for k in ("document_prompt", "question_prompt", "answer_prompt", "options_in_prompt",
                                        "options_in_query", "answer_format", "max_length", "text_maxlength")}
    document = {
        "settings": prompts, "passages": passages, "questions": asked, "ranks": ranks,
        "reader": {"config": config, "vocabulary": VOCABULARY, "special": READER_SPECIAL},
    }
    (HERE / "likelihood.json").write_text(json.dumps(document, indent=1) + "\n")
    print({k: v.tolist() for k, v in out.items() if k.startswith(("answer", "rank"))})


if __name__ == "__main__":
    main()
