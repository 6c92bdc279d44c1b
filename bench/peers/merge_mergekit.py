"""Merges by a config on request, by mergekit: one line in, one line of JSON out. The process is warm: it has merged once.

    python bench/peers/merge_mergekit.py CONFIG [--threads 2]
"""

import argparse
import contextlib
import json
import logging
import os
import shutil
import sys
import time
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge

from measured import peak, say

options = argparse.ArgumentParser()
options.add_argument("config", type=Path)
options.add_argument("--threads", type=int, default=2)
options = options.parse_args()
torch.set_num_threads(options.threads)
logging.disable(logging.WARNING)


def merge(out):
    config = MergeConfiguration.model_validate(yaml.safe_load(options.config.read_text()))
    with contextlib.redirect_stdout(sys.stderr):
        run_merge(config, out, MergeOptions(copy_tokenizer=False, quiet=True))


first = f"{options.config}-mergekit"
merge(first)
shutil.rmtree(first)
say({"startPeak": peak()})
for line in sys.stdin:
    out = json.loads(line)["out"]
    peak()
    start, before = time.perf_counter(), time.process_time()
    merge(f"{out}-mergekit")
    say({"seconds": time.perf_counter() - start, "cpu": time.process_time() - before, "peak": peak()})
