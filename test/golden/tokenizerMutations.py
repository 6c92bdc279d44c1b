"""Mutated tokenizer files by Hugging Face's Rust library, and mutated files beside one by transformers: tokenizers/mutated.json.gz.

A list of what was mutated, each with a row a line: CRC-32 of its ids and of the text they are decoded to, 0 where that is an
error; null where the file or the folder is refused.
    node tokenizerMutations.ts 3000 1 | python tokenizerMutations.py tokenizers/mutated.json.gz
"""

import gzip
import json
import logging
import os
import resource
import signal
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

logging.disable(logging.CRITICAL)


def hashed(value):
    packed = struct.pack(f"<{len(value)}I", *value) if isinstance(value, list) else value.encode(errors="surrogatepass")
    return zlib.crc32(packed) or 1


def row(encode, decode, line):
    try:
        ids = encode(line)
    except BaseException:
        return [0, 0]
    try:
        return [hashed(ids), hashed(decode(ids))]
    except BaseException:
        return [hashed(ids), 0]


def of_file(text):
    tokenizer = Tokenizer.from_str(text)
    return lambda line: tokenizer.encode(line, add_special_tokens=False).ids, tokenizer.decode


def of_folder(tokenizer, files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_bytes(text.encode())
        (Path(folder) / "tokenizer.json").write_text(json.dumps(tokenizers[tokenizer]))
        own = PreTrainedTokenizerFast.from_pretrained(folder)
    return lambda line: own.encode(line, add_special_tokens=False), lambda ids: own.decode(ids, skip_special_tokens=True)


def results(case):
    """In a process of its own, since some files make the library take all memory, or never end."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        signal.alarm(20)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        with os.fdopen(write, "w") as out:
            try:
                encode, decode = of_file(case["text"]) if "text" in case else of_folder(**case)
            except BaseException:
                out.write("null")
            else:
                out.write(json.dumps([row(encode, decode, line) for line in lines]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        found = told.read()
    os.waitpid(child, 0)
    return json.loads(found) if found else [[0, 0]] * len(lines)


def settled(case):
    """What differs from run to run (where two tokens have an id, the library keeps either) is as good as an error."""
    first, *others = [results(case) for _ in range(4)]
    if first is None:
        return None
    return [[hash if all(other and other[i][j] == hash for other in others) else 0 for j, hash in enumerate(row)]
            for i, row in enumerate(first)]


lines, tokenizers = json.loads(sys.stdin.readline()).values()
cases = [json.loads(line) for line in sys.stdin]
content = json.dumps([case | {"rows": settled(case)} for case in cases])
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress(content.encode(), 9, mtime=0))
