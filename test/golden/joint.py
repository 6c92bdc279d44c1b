"""Three joint steps in float64: writes joint.json (texts, sizes, settings) and joint.safetensors (what they lead to)."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from models import ColBert, Llama, draw, undecayed
from objective import (READER_SPECIAL, RETRIEVER_SPECIAL, answer_loss, encode_passage, encode_query, llm_rank,
                       max_sim)

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)

WORDS = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi
chi psi omega reference question answer""".split()
MARKS = [".", ",", ":"]
QUESTIONS, PER_STEP, STEPS, PASSAGES = 6, 2, 3, 6

settings = {
    "query_max_len": 12, "passage_max_len": 14, "max_length": 96, "text_maxlength": 32,
    "n_candidates": PASSAGES, "retriever_n_context": 4, "n_context": 2, "sampling": "top", "context": "top",
    "per_device_train_batch_size": PER_STEP, "max_steps": 5, "warmup_steps": 2, "lr_scheduler_type": "cosine",
    "min_lr_rate": 0.1, "learning_rate": 1e-2, "lr_retriever": 2e-3, "weight_decay": 0.1, "adam_beta1": 0.9,
    "adam_beta2": 0.95, "adam_epsilon": 1e-5, "max_grad_norm": 0.2, "rank_weight": 0.5,
    "document_prompt": "reference : {text}", "question_prompt": "question : {question}",
    "answer_prompt": "answer : {answer}", "options_in_prompt": False, "options_in_query": False,
    "answer_format": "text",
}
encoder_config = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0, "dim": 8,
}
decoder_config = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 96, "rms_norm_eps": 1e-6, "rope_theta": 100,
    "tie_word_embeddings": False, "hidden_dropout_prob": 0, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
}


def sentence(rng, least, most):
    words = [WORDS[i] for i in rng.integers(0, len(WORDS) - 3, rng.integers(least, most + 1))]
    words.insert(len(words) // 2, ",")
    return " ".join([*words, "."])


def texts(rng):
    passages = [sentence(rng, 3, 14) for _ in range(PASSAGES)]
    asked = [{"question": sentence(rng, 2, 9), "answer": " ".join(sentence(rng, 1, 4).split()[:-1])}
             for _ in range(QUESTIONS)]
    return passages, asked


def learning_rate(peak, t):
    """Of update t = 1, 2, ...: linear warm-up, then a cosine down to a share of the peak."""
    warm, total, least = settings["warmup_steps"], settings["max_steps"], settings["min_lr_rate"]
    if t <= warm:
        return peak * t / warm
    return peak * (least + (1 - least) / 2 * (1 + math.cos(math.pi * (t - warm) / (total - warm))))


def adamw(model, peak):
    plain = undecayed(model)
    groups = [([p for n, p in model.named_parameters() if n not in plain], settings["weight_decay"]),
              ([p for n, p in model.named_parameters() if n in plain], 0.0)]
    return torch.optim.AdamW([{"params": params, "weight_decay": decay} for params, decay in groups], lr=peak,
                             betas=(settings["adam_beta1"], settings["adam_beta2"]), eps=settings["adam_epsilon"])


def apart(values, least, what):
    """Choices that float32 would make otherwise make a useless golden file."""
    gap = min(abs(a - b) for i, a in enumerate(values) for b in values[:i])
    assert gap > least, f"{what} are {gap} apart"


def lesson(models, vocabularies, passages, asked):
    """Both losses of one question: every passage is a candidate, the best are drawn and the best of those are read."""
    encoder, reader = models
    word_pieces, words = vocabularies
    query = encode_query(encoder, word_pieces, asked["question"], settings["query_max_len"])
    scores = torch.stack([max_sim(query, encode_passage(encoder, word_pieces, text, settings["passage_max_len"]))
                          for text in passages])
    best = sorted(range(PASSAGES), key=lambda i: -scores[i].item())
    drawn, context = best[: settings["retriever_n_context"]], best[: settings["n_context"]][::-1]

    def loss(docs):
        return answer_loss(reader, words, settings, [passages[d] for d in docs], asked["question"], asked["answer"])

    with torch.no_grad():
        nll = [loss([d]).item() for d in drawn]
    apart(scores.tolist(), 1e-3, "scores")
    apart(nll, 1e-3, "likelihoods")
    return llm_rank(scores, drawn, nll), loss(context)


def main():
    rng = np.random.default_rng(1)
    passages, asked = texts(rng)
    vocabularies = RETRIEVER_SPECIAL + MARKS + WORDS, READER_SPECIAL + MARKS + WORDS
    configs = [{**c, "vocab_size": len(v)} for c, v in zip((encoder_config, decoder_config), vocabularies)]
    models = {"retriever": draw(ColBert(configs[0]), rng, 0.4), "reader": draw(Llama(configs[1]), rng, 0.4)}
    peaks = {"retriever": settings["lr_retriever"], "reader": settings["learning_rate"]}
    optimizers = {name: adamw(model, peaks[name]) for name, model in models.items()}
    out = {}

    def keep(what):
        for name, model in models.items():
            for path, p in model.named_parameters():
                out[f"{what}/{name}/{path}"] = (p.grad if what == "gradient" else p).detach().float().clone()

    keep("initial")
    for t in range(1, STEPS + 1):
        batch = asked[(t - 1) * PER_STEP : t * PER_STEP]
        rank, read = (torch.stack(losses) for losses in zip(*(
            lesson(models.values(), vocabularies, passages, one) for one in batch)))
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        (read.mean() + settings["rank_weight"] * rank.mean()).backward()
        out[f"loss/{t}/retriever"], out[f"loss/{t}/reader"] = rank.detach().float(), read.detach().float()
        if t == 1:
            keep("gradient")
        for name, model in models.items():
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["max_grad_norm"])
            assert norm > 1.2 * settings["max_grad_norm"], f"{name}: the norm {norm} is not clipped"
            out[f"norm/{t}/{name}"] = norm.detach().float().reshape(1)
            for group in optimizers[name].param_groups:
                group["lr"] = learning_rate(peaks[name], t)
            optimizers[name].step()
    keep("final")

    save_file(out, HERE / "joint.safetensors")
    document = {
        "settings": settings, "passages": passages, "questions": asked,
        "retriever": {"config": configs[0], "vocabulary": vocabularies[0], "special": RETRIEVER_SPECIAL},
        "reader": {"config": configs[1], "vocabulary": vocabularies[1], "special": READER_SPECIAL},
    }
    (HERE / "joint.json").write_text(json.dumps(document, indent=1) + "\n")
    print({k: v.tolist() for k, v in out.items() if k.startswith(("loss", "norm"))})


if __name__ == "__main__":
    main()
