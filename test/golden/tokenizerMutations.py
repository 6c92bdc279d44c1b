"""Mutated tokenizer files, and what Hugging Face's Rust library makes of them: tokenizers/mutated.json.gz.

A list of files, each with its text and, for each line, CRC-32 of its ids and of the text they are decoded to, 0 where that
is an error; null where the file is refused.
    node tokenizerMutations.ts 1500 1 | python tokenizerMutations.py tokenizers/mutated.json.gz
"""

import gzip
import json
import os
import resource
import signal
import struct
import sys
import zlib

from tokenizers import Tokenizer


def hashed(value):
    packed = struct.pack(f"<{len(value)}I", *value) if isinstance(value, list) else value.encode()
    return zlib.crc32(packed) or 1


def row(tokenizer, line):
    try:
        ids = tokenizer.encode(line, add_special_tokens=False).ids
    except BaseException:
        return [0, 0]
    try:
        return [hashed(ids), hashed(tokenizer.decode(ids))]
    except BaseException:
        return [hashed(ids), 0]


def results(text, lines):
    """In a process of its own, since some files make the library take all memory, or never end."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        signal.alarm(10)
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        with os.fdopen(write, "w") as out:
            try:
                tokenizer = Tokenizer.from_str(text)
            except BaseException:
                out.write("null")
            else:
                out.write(json.dumps([row(tokenizer, line) for line in lines]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        found = told.read()
    os.waitpid(child, 0)
    return json.loads(found) if found else [[0, 0]] * len(lines)


lines = json.loads(sys.stdin.readline())
files = [json.loads(line) for line in sys.stdin]
content = json.dumps([{"text": text, "rows": results(text, lines)} for text in files], ensure_ascii=True)
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress(content.encode(), 9, mtime=0))
