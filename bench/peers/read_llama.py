"""The same prompts read, and continued greedily, by llama.cpp as pip builds it: a line of JSON in, times and tokens out.

    python bench/peers/read_llama.py --model FILE.gguf [--batch 8] [--context 1024] [--threads 2]

All texts of a batch are decoded together, each in a sequence of its own.
"""

import argparse
import json
import resource
import sys
import time

import llama_cpp
import numpy

from measured import say

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--context", type=int, default=1024)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()


quiet = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(quiet, None)
began = time.perf_counter()
llama_cpp.llama_backend_init()

model = llama_cpp.llama_model_load_from_file(options.model.encode(), llama_cpp.llama_model_default_params())
settings = llama_cpp.llama_context_default_params()
settings.n_ctx = options.batch * options.context
settings.n_batch = settings.n_ubatch = min(4096, settings.n_ctx)
settings.n_seq_max = options.batch
settings.n_threads = settings.n_threads_batch = options.threads
settings.kv_unified = True
context = llama_cpp.llama_init_from_model(model, settings)
memory = llama_cpp.llama_get_memory(context)
vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
batch = llama_cpp.llama_batch_init(settings.n_ctx, 0, 1)
say({"loading": time.perf_counter() - began, "system": llama_cpp.llama_print_system_info().decode()})


def fill(tokens):
    """Tokens as (id, position, sequence, whether its logits are wanted)."""
    batch.n_tokens = len(tokens)
    for i, (token, position, sequence, wanted) in enumerate(tokens):
        batch.token[i], batch.pos[i] = token, position
        batch.n_seq_id[i], batch.logits[i] = 1, wanted
        batch.seq_id[i][0] = sequence
    if llama_cpp.llama_decode(context, batch) != 0:
        raise SystemExit("llama_decode failed")


def best(i):
    logits = llama_cpp.llama_get_logits_ith(context, i)
    return int(numpy.ctypeslib.as_array(logits, (vocabulary,)).argmax())


def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def once(rows, prompt, tokens):
    llama_cpp.llama_memory_clear(memory, True)
    before, start = spent(), time.perf_counter()
    ids = [[(7919 * i + 104_729 * r) % vocabulary for i in range(prompt)] for r in range(rows)]
    last = prompt - 1
    fill([(ids[r][i], i, r, i == last) for r in range(rows) for i in range(prompt)])
    newest = [best((r + 1) * prompt - 1) for r in range(rows)]
    first, first_cpu = time.perf_counter() - start, spent() - before
    texts = [[token] for token in newest] if tokens else [[] for _ in newest]
    for step in range(1, tokens):
        fill([(newest[r], last + step, r, True) for r in range(rows)])
        newest = [best(r) for r in range(rows)]
        for text, token in zip(texts, newest):
            text.append(token)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, cpu = time.perf_counter() - start, spent() - before
    say({"first": first, "firstCpu": first_cpu, "seconds": seconds, "cpu": cpu, "peak": peak, "texts": texts})


for line in sys.stdin:
    asked = json.loads(line)
    once(asked["batch"], asked["prompt"], asked["tokens"])
