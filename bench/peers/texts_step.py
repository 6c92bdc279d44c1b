"""A step of TRL's SFTTrainer or DPOTrainer with LoRA on the recorded rows. One line in, one of JSON out; first it writes its adapter.

    python texts_step.py RECORD [--threads 2]
"""

import argparse
import json
import logging
import sys
import time
from pathlib import Path

import torch
import transformers
from datasets import disable_progress_bars, load_dataset
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from measured import peak, say

options = argparse.ArgumentParser()
options.add_argument("record", type=Path)
options.add_argument("--threads", type=int, default=2)
options = options.parse_args()
torch.set_num_threads(options.threads)
logging.disable(logging.WARNING)
disable_progress_bars()
transformers.utils.logging.disable_progress_bar()

record = json.loads((options.record / "record.json").read_text())
adapter = options.record / "adapter"
tokenizer = AutoTokenizer.from_pretrained(record["model"])
base = AutoModelForCausalLM.from_pretrained(record["model"], dtype=torch.float32, attn_implementation="sdpa")
if not adapter.exists():
    torch.manual_seed(1)
    get_peft_model(base, LoraConfig(**record["lora"], target_modules="all-linear", lora_dropout=0.0,
                                    task_type="CAUSAL_LM")).save_pretrained(adapter)
    base = AutoModelForCausalLM.from_pretrained(record["model"], dtype=torch.float32, attn_implementation="sdpa")
model = PeftModel.from_pretrained(base, adapter, is_trainable=True)

common = {**record["optimizer"], "output_dir": str(options.record / "trl"), "max_length": record["length"],
          "per_device_train_batch_size": record["batch"], "max_steps": record["steps"], "lr_scheduler_type": "constant",
          "warmup_steps": 0, "bf16": False, "use_cpu": True, "gradient_checkpointing": False, "report_to": [],
          "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True, "optim": "adamw_torch_fused"}
rows = load_dataset("json", data_files=str(options.record / "rows.jsonl"), split="train",
                    cache_dir=str(options.record / f"cache-{time.time_ns()}"))


class Turns(TrainerCallback):
    """Waits for a line before each step but the first, and tells each one's time, without the waiting."""

    first = True

    def on_step_begin(self, *_, **__):
        if not self.first:
            if not sys.stdin.readline():
                sys.exit()
        self.start, self.before = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        self.seconds, self.cpu = time.perf_counter() - self.start, time.process_time() - self.before

    def on_log(self, _, __, ___, logs=None, **____):
        if "loss" not in logs:
            return
        if self.first:
            say({"startPeak": peak()})
        else:
            say({"seconds": self.seconds, "cpu": self.cpu, "loss": logs["loss"], "peak": peak()})
        self.first = False


def in_order(trainer):
    class InOrder(trainer):
        def _get_train_sampler(self, dataset=None):
            return SequentialSampler(dataset if dataset is not None else self.train_dataset)

    return InOrder


own = {"model": model, "train_dataset": rows, "processing_class": tokenizer, "callbacks": [Turns()]}
if record["task"] == "sft":
    trainer = in_order(SFTTrainer)(args=SFTConfig(**common, completion_only_loss=True), **own)
else:
    trainer = in_order(DPOTrainer)(args=DPOConfig(**common, beta=record["beta"], precompute_ref_log_probs=True), **own)
trainer.remove_callback(PrinterCallback)
trainer.train()
