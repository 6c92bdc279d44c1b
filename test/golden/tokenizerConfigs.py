"""tokenizer_config.json and special_tokens_map.json by chance, as transformers reads them: tokenizers/configs.json.

For each folder: added tokens in place of those of llama2/tokenizer.json, the files beside it, and for each line its ids
and the text that they are decoded to without special tokens. Folders that transformers refuses are left out.
"""

import json
import random
import tempfile
from pathlib import Path

from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent / "tokenizers"
CONTENTS = ["<s>", "</s>", "<pad>", "<mask>", "<unk>", "[X]", "foo", "the"]
LINES = ["<s>the foo</s> bar <pad>x<mask>  [X]y", "a <mask> foo the [X]", "  <pad>  <extra> x <unk>"]
KEYS = ["bos_token", "eos_token", "pad_token", "unk_token", "mask_token", "image_token"]


def described(rng, content):
    return {"content": content, "lstrip": rng.random() < 0.4, "rstrip": rng.random() < 0.4, "single_word": rng.random() < 0.2,
            "normalized": rng.random() < 0.5}


def token(rng, content):
    return content if rng.random() < 0.7 else {"__type": "AddedToken"} | described(rng, content)


def folder(rng, base):
    added = [entry for entry in base["added_tokens"] if rng.random() < 0.8]
    following = len(base["model"]["vocab"])
    for content in ["<mask>", "[X]"]:
        if rng.random() < 0.4:
            added.append({"id": following, "special": rng.random() < 0.5} | described(rng, content))
            following += 1
    ids = base["model"]["vocab"] | {entry["content"]: entry["id"] for entry in added}
    config, tokens_map = {"tokenizer_class": "PreTrainedTokenizerFast"}, {}
    if rng.random() < 0.5:
        config["added_tokens_decoder"] = {
            str(ids[content]): described(rng, content) | {"special": rng.random() < 0.6}
            for content in CONTENTS if content in ids and rng.random() < 0.6}
    for key in KEYS:
        if rng.random() < 0.5:
            value = rng.choice(CONTENTS) if key == "image_token" else token(rng, rng.choice(CONTENTS))
            (config if rng.random() < 0.7 else tokens_map)[key] = value
    if rng.random() < 0.4:
        config[rng.choice(["additional_special_tokens", "extra_special_tokens"])] = [
            token(rng, content) for content in rng.sample(CONTENTS, rng.randrange(3))]
    if rng.random() < 0.2:
        config["split_special_tokens"] = True
    if rng.random() < 0.3:
        config["clean_up_tokenization_spaces"] = True
    files = {"tokenizer_config.json": config}
    return added, files | ({"special_tokens_map.json": tokens_map} if tokens_map else {})


def results(tokenizer):
    ids = [tokenizer.encode(line, add_special_tokens=False) for line in LINES]
    return [[each, tokenizer.decode(each, skip_special_tokens=True)] for each in ids]


def main():
    base = json.loads((HERE / "llama2" / "tokenizer.json").read_text())
    rng, out = random.Random(3), []
    while len(out) < 60:
        added, files = folder(rng, base)
        with tempfile.TemporaryDirectory() as name:
            for file, content in (files | {"tokenizer.json": base | {"added_tokens": added}}).items():
                (Path(name) / file).write_text(json.dumps(content))
            try:
                out.append({"added": added, "files": files, "results": results(PreTrainedTokenizerFast.from_pretrained(name))})
            except TypeError:
                continue
    (HERE / "configs.json").write_text(json.dumps({"lines": LINES, "folders": out}, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
