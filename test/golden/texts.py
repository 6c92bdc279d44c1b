"""Training on texts and on preferences as TRL has it: ids and masks of chats, and the losses of a few steps.

Writes texts/: tokenizer.json, a tiny Llama, and told.json. Templates are in the styles of published ones; each is given
twice, plain and with `{% generation %}` tags, from which transformers takes the masks. Training runs on the whole set in
each step, without dropout, at a constant learning rate. Made with trl 1.16,
transformers 5.3 and torch 2.11.
"""

import json
import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

HERE = Path(__file__).parent
OUT = HERE / "texts"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
           "<|eot_id|>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>",
           "<s>", "</s>"]


def tagged(template, tags):
    """The template with its marks of the assistant's words as tags, or without them."""
    return template.replace("[[", "{%- generation -%}" if tags else "").replace("]]", "{%- endgeneration -%}" if tags else "")


ASK = "{%- if add_generation_prompt %}{{- "
CHATML = ("{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|im_start|>assistant\n' }}[[{{- m.content + '<|im_end|>\n' }}]]"
          "{%- else %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
          + ASK + "'<|im_start|>assistant\n' }}{%- endif %}")
TEMPLATES = {
    "chatml": CHATML,
    "chatml with a system of its own": (
        "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\nYou help.<|im_end|>\n' }}{%- endif %}" + CHATML),
    "headers, trimmed": (
        "{{- '<|begin_of_text|>' }}{%- for m in messages %}{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
        "{%- if m.role == 'assistant' %}[[{{- m.content | trim + '<|eot_id|>' }}]]{%- else %}{{- m.content | trim + '<|eot_id|>' }}"
        "{%- endif %}{%- endfor %}" + ASK + "'<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"),
    "turns, the system in the first": (
        "{{- '<bos>' }}{%- if messages[0].role == 'system' %}{%- set first = messages[0].content + '\n\n' %}"
        "{%- set rest = messages[1:] %}{%- else %}{%- set first = '' %}{%- set rest = messages %}{%- endif %}"
        "{%- for m in rest %}{%- if m.role == 'assistant' %}{{- '<start_of_turn>model\n' }}[[{{- m.content | trim + '<end_of_turn>\n' }}]]"
        "{%- else %}{{- '<start_of_turn>' + m.role + '\n' + (first if loop.first else '') + m.content | trim + '<end_of_turn>\n' }}"
        "{%- endif %}{%- endfor %}" + ASK + "'<start_of_turn>model\n' }}{%- endif %}"),
    "an end after the last": (
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|assistant|>\n' }}[[{{- m.content + '<|end|>\n' }}"
        "{%- if loop.last %}{{- eos_token }}{%- endif %}]]{%- else %}{{- '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}"
        "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant|>\n' }}"
        "{%- elif messages[-1].role != 'assistant' %}{{- eos_token }}{%- endif %}"),
    "instructions in brackets": (
        "{%- for m in messages %}{%- if m.role == 'user' %}{{- '<s>[INST] ' + m.content | trim + ' [/INST]' }}"
        "{%- elif m.role == 'system' %}{{- '<s>[SYS] ' + m.content + ' [/SYS]' }}"
        "{%- else %}[[{{- ' ' + m.content | trim + ' </s>' }}]]{%- endif %}{%- endfor %}"),
}
CHATS = [
    [("user", "Which gene?"), ("assistant", "GBA1")],
    [("user", "Hi"), ("assistant", "A1"), ("user", "B"), ("assistant", "C2")],
    [("system", "Be brief."), ("user", "Which gene is at fault?"), ("assistant", "It is GLA, on Xq22."), ("user", "Sure?"),
     ("assistant", "Yes.")],
    [("user", "naïve 戈谢病 👍🏽 é"), ("assistant", "戈谢病 👍🏽: GBA1\n\n- one\n- two")],
    [("user", "  blanks  "), ("assistant", "  two lines\nand a blank ")],
    [("user", "C2"), ("assistant", "C2"), ("user", "C2"), ("assistant", "C2")],
]


def messages(chat):
    return [{"role": role, "content": content} for role, content in chat]


def tokenizer_of(template):
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(OUT / "tokenizer.json"), eos_token="<|endoftext|>",
                                        pad_token="<|endoftext|>", chat_template=template)
    return tokenizer


def masks():
    out = []
    for about, template in TEMPLATES.items():
        tokenizer = tokenizer_of(tagged(template, True))
        cases = []
        for chat in CHATS:
            found = tokenizer.apply_chat_template(messages(chat), return_dict=True, return_assistant_tokens_mask=True)
            cases.append({"messages": messages(chat), "ids": found["input_ids"], "learned": found["assistant_masks"]})
        out.append({"about": about, "plain": tagged(template, False), "tagged": tagged(template, True), "cases": cases})
    return out


COMMON = dict(max_steps=3, learning_rate=1e-2, lr_scheduler_type="constant", warmup_steps=0, logging_steps=1, report_to=[],
              save_strategy="no", use_cpu=True, bf16=False, gradient_checkpointing=False, weight_decay=0.0, disable_tqdm=True,
              dataloader_pin_memory=False)
KEPT = ["loss", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen",
        "logps/rejected", "logits/chosen", "logits/rejected", "mean_token_accuracy", "entropy"]


def model():
    return LlamaForCausalLM.from_pretrained(str(OUT), dtype=torch.float32, attn_implementation="eager")


def logs(trainer):
    trainer.train()
    history = trainer.state.log_history
    steps = [{k: float(h[k]) for k in KEPT if k in h} for h in history if "loss" in h]
    return steps, [{f"eval_{k}": float(h[f"eval_{k}"]) for k in KEPT if f"eval_{k}" in h} for h in history if "eval_loss" in h]


def trained(kind, rows, held=None, **options):
    tokenizer = tokenizer_of(tagged(TEMPLATES["chatml"], True))
    with tempfile.TemporaryDirectory() as folder:
        make, config = (SFTTrainer, SFTConfig) if kind == "sft" else (DPOTrainer, DPOConfig)
        # one batch of the held-out rows: the mean of batches' means is then the mean
        judged = {"eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True, "per_device_eval_batch_size": len(held)} if held else {}
        args = config(output_dir=folder, per_device_train_batch_size=len(rows), **(COMMON | judged | options))
        trainer = make(model=model(), args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
                       eval_dataset=Dataset.from_list(held) if held else None)
        return logs(trainer)


SFT = {
    "chats, the assistant's words": ([{"messages": messages(chat)} for chat in CHATS], {"assistant_only_loss": True}),
    "chats, everything": ([{"messages": messages(chat)} for chat in CHATS], {}),
    "completions": ([{"prompt": "Which gene?", "completion": " GBA1"}, {"prompt": "Long fingers:", "completion": " FBN1, on 15q21"},
                     {"prompt": "Pain in the hands", "completion": ", which gene? GLA"}], {}),
    "completions as messages": ([{"prompt": messages(chat[:-1]), "completion": messages(chat[-1:])} for chat in CHATS], {}),
    "texts": ([{"text": "Gaucher disease: variants in GBA1."}, {"text": "Fabry disease is caused by GLA. It is X-linked."}], {}),
}
PAIRS = [{"prompt": "Which gene?", "chosen": " GBA1", "rejected": " It is hard to say"},
         {"prompt": "Long fingers:", "chosen": " FBN1, on 15q21", "rejected": " GLA"},
         {"prompt": "Pain in the hands, which gene?", "chosen": " GLA", "rejected": " FBN1"}]
TALKS = [{"prompt": messages(chat[:-1]), "chosen": messages(chat[-1:]), "rejected": [{"role": "assistant", "content": "No idea."}]}
         for chat in CHATS[:3]]
IMPLICIT = [{"chosen": messages(chat), "rejected": messages(chat[:-1]) + [{"role": "assistant", "content": "No idea."}]}
            for chat in CHATS[:3]]
DPO = {
    **{name: (PAIRS, {"loss_type": [name]}) for name in
       ("sigmoid", "hinge", "ipo", "sigmoid_norm", "apo_zero", "apo_down")},
    "robust": (PAIRS, {"loss_type": ["robust"], "label_smoothing": 0.1}),
    "with sft": (PAIRS, {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}),
    "a greater beta": (PAIRS, {"loss_type": ["sigmoid"], "beta": 0.5}),
    "messages": (TALKS, {"loss_type": ["sigmoid"]}),
    "messages without a prompt": (IMPLICIT, {"loss_type": ["sigmoid"]}),
}

OTHERS = [{"prompt": "Painful hands?", "completion": " GLA, on Xq22"}, {"prompt": "Bruises?", "completion": " GBA1"}]
HELD = [
    ("sft", "completions", SFT["completions"][0], OTHERS, {}),
    ("dpo", "texts", PAIRS[:2], [PAIRS[2], {"prompt": "Bruises?", "chosen": " GBA1", "rejected": " FBN1, on 15q21"}],
     {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}),
    ("dpo", "ipo", PAIRS[:2], [PAIRS[2]], {"loss_type": ["ipo"]}),
]


def main():
    OUT.mkdir(exist_ok=True)
    base = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "tokenizers" / "gpt2" / "tokenizer.json"))
    base.add_special_tokens({"additional_special_tokens": SPECIAL})
    base.backend_tokenizer.save(str(OUT / "tokenizer.json"), pretty=False)
    torch.manual_seed(5)
    config = LlamaConfig(vocab_size=len(base), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, max_position_embeddings=256, initializer_range=0.3, tie_word_embeddings=True,
                         bos_token_id=None, eos_token_id=base.convert_tokens_to_ids("<|endoftext|>"), pad_token_id=0)
    LlamaForCausalLM(config).save_pretrained(OUT)
    runs = lambda kind, cases: [{"about": about, "rows": rows, "options": options, "steps": trained(kind, rows, **options)[0]}
                                for about, (rows, options) in cases.items()]
    held = []
    for kind, about, rows, own, options in HELD:
        steps, judged = trained(kind, rows, own, **options)
        held.append({"kind": kind, "about": about, "rows": rows, "held": own, "options": options, "steps": steps, "judged": judged})
    told = {"masks": masks(), "sft": runs("sft", SFT), "dpo": runs("dpo", DPO), "held": held}
    (OUT / "told.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
