"""Mutated config.json, and what transformers computes under it with the weights of architectures/: mutatedConfigs.json.gz.

A list of what was mutated with some of the numbers that come out: of a decoder the logits after the last token, of an
encoder the last token's vector; null where transformers refuses the config or has no weights for what it asks for.
    node configMutations.ts 1500 1 | python configMutations.py mutatedConfigs.json.gz
"""

import gzip
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

HERE = Path(__file__).parent / "architectures"
IDS = torch.tensor([[4 + i * 7 % 36 for i in range(16)]])
ENCODERS = {"bert", "modernbert"}

logging.disable(logging.CRITICAL)
torch.set_num_threads(1)


def numbers(folder):
    config = AutoConfig.from_pretrained(folder)
    encodes = config.model_type in ENCODERS
    kind = AutoModel if encodes else AutoModelForCausalLM
    model, info = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = [name for name in info["missing_keys"] if not name.startswith("pooler")]
    if missing or info["mismatched_keys"]:
        return None
    with torch.no_grad():
        out = model.eval()(input_ids=IDS)
    values = out.last_hidden_state if encodes else out.logits
    return [round(value, 6) for value in values[0, -1, :12].tolist()]


def computed(case):
    """In a process of its own, since some configs take all memory, or time."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
        signal.alarm(20)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        with tempfile.TemporaryDirectory() as own, os.fdopen(write, "w") as out:
            folder = Path(own) / "model"
            shutil.copytree(HERE / case["folder"], folder)
            (folder / "config.json").write_bytes(case["text"].encode())
            try:
                out.write(json.dumps(numbers(folder)))
            except BaseException:
                out.write("null")
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        found = told.read()
    os.waitpid(child, 0)
    return json.loads(found) if found else None


cases = [json.loads(line) for line in sys.stdin]
content = json.dumps([case | {"numbers": computed(case)} for case in cases])
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress(content.encode(), 9, mtime=0))
