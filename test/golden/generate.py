"""Texts that transformers generates from a small random Llama, greedily: generate.json, generate.safetensors."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent

config = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": False, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
}
# A third of the vocabulary.
SOME = list(range(5, 96, 3))
# Settings of generate, and of how many tokens the text becomes longer.
cases = [
    {"about": "greedy", "settings": {"max_new_tokens": 64}},
    {"about": "tokens of the text made less likely", "settings": {"max_new_tokens": 64, "repetition_penalty": 1.3}},
    {"about": "no pair of tokens twice", "settings": {"max_new_tokens": 64, "no_repeat_ngram_size": 2}},
    {"about": "no token twice", "settings": {"max_new_tokens": 24, "no_repeat_ngram_size": 1}},
    {"about": "a penalty, and no three tokens twice",
     "settings": {"max_new_tokens": 64, "repetition_penalty": 1.1, "no_repeat_ngram_size": 3}},
    {"about": "no end before forty tokens", "settings": {"max_new_tokens": 64, "min_new_tokens": 40}},
    {"about": "no end before a length of sixty", "settings": {"max_new_tokens": 64, "min_length": 60}},
    {"about": "tokens that are not written", "settings": {"max_new_tokens": 64, "suppress_tokens": SOME}},
    {"about": "tokens that are not written first", "settings": {"max_new_tokens": 16, "begin_suppress_tokens": SOME}},
    {"about": "words that are not written",
     "settings": {"max_new_tokens": 64, "bad_words_ids": [[3], [11]] + [[a, b] for a in range(20, 60) for b in range(30, 50)]}},
]
NEAR = 1e-3


def main():
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    model = LlamaForCausalLM(LlamaConfig(**config)).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                p.normal_(0, 0.35)
            p.copy_(p.float().double())
    # transformers makes its biases of single tokens in float32.
    torch.set_default_dtype(torch.float32)
    prompts = [torch.randint(4, config["vocab_size"], (n,)).tolist() for n in (1, 5, 17, 40)]
    for case in cases:
        case["texts"] = []
        for prompt in prompts:
            out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                                 do_sample=False, output_scores=True, return_dict_in_generate=True, **case["settings"])
            for scores in out.scores:
                best = scores[0].topk(2).values
                assert best[0] - best[1] > NEAR, "two tokens are so near that float32 could order them otherwise"
            case["texts"].append(out.sequences[0, len(prompt):].tolist())
        print(case["about"], [len(t) for t in case["texts"]], [len(set(t)) for t in case["texts"]])
    save_file({name: p.detach().float().contiguous() for name, p in model.named_parameters()},
              HERE / "generate.safetensors")
    document = {"config": config, "prompts": prompts, "cases": cases}
    (HERE / "generate.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
