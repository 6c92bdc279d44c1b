"""Tokenizer files by chance, and what Hugging Face's Rust library makes of lines of all scripts by them: tokenizers/generated*.

generated.json: models, lines, and files whose `model` names one of the models and says what is different.
generated.bin: for each of these files, and then for the tokenizers of the other folders here, two hashes of 16 bits for
each line, of its ids and of the text they are decoded to, where 0 is an error; before them, the number of ids that the
post-processor puts before a text (65534: there is none; 65533: an error).

With a number of files and a folder, the same for as many other files, with ids and texts in full: for a longer trial.
    python tokenizerFiles.py 5000 /tmp/trial 1
"""

import json
import os
import random
import resource
import signal
import struct
import sys
import zlib
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).parent / "tokenizers"

LINES = [
    "Ménière, Guillain–Barré", "e\u0301a\u0300 o\u0308\u0323", "a\u0345\u0316\u0301", "ΑΒΓ αβγ ΣΊΣΥΦΟΣ ς", "Ґўќ болезнь Гоше ЁЖ",
    "مرض غوشيه ٣٤٥ ﷺ", "מחלת גושה שָׁלוֹם", "गौशे रोग क्षि १२", "โรคโกเชอร์ ๑๒", "戈谢病是一种罕见病。", "ゴーシェ病の診断ー ｶﾞ", "고셰병 각 한글",
    "각 한", "𠀋𝛼𝒙 𝟙𝟚", "👩‍⚕️👍🏽🇨🇭🧬", "m² Ca²⁺ ½ ¼ ⅷ Ⅷ ① ㎎ ㍿", "µg μg Å Å ﬁ ﬀ ſ ß ẞ", "İstanbul ıI ǅ", "a\u200bb\u200cc\u200dd\u2060e",
    "\ufeffmark\ufeff", "soft\u00adhyphen \u180e", "\x00\x01\x07\x0b\x0c\x1b\x7f\x85\x8f\x9f|", "\ufffd\ue000\U000f0000\U0010ffff", "\u2028a\u2029b",
    "  two   three  ", "\t tab\r\nline\n\nend\n", "\u00a0\u1680\u2003\u202f\u205f\u3000x", "", " ", "   ", "\n", "a", "ab", "aa", "aaaaaaaaaaaaaaaaaaaa",
    "a" * 300, "ab " * 60, "don't I'LL they'VE 'tis 's'S", "snake_case camelCase f(x)=x**2", "3.14 1,000 1e-9 50% 7.2",
    "<s>a</s> <s> </s><unk>", "[CLS] a[SEP]", "<|x|>y<|x|>", "xfoo foo Foo FOO foobar foo", " foo  foo  ", "fo fooo foofoo", "<0x0A><0xE2>",
    "▁a▁ ▁▁b", "Ġa ##b a##b", "constructor __proto__ toString", "é<mask> x <mask>é", "  <mask>  <mask>", "naïve ångström", "Ａｂ１２　",
    "x\u0300\u0301\u0302\u0303", "\u0300a", "\u0e33\u0eb3", "ﬃ™®…‘’“”", "①²³⁴ ½x", "a-b--c - d", "...!!! ?? ,,", "!a", "a!", "한국어 텍스트 처리",
    "\u1e9b\u0323", "\u0344\u0340", "\u0958\u09dc", "\u2126\u212b\u212a", "\U0001d15e\U0001d1c0", "\uac00\u11a8", "\u1100\u1161\u11a8",
    "\u0897\U00010d40\U00016d68", "\ua7ceA\ua7cf\U00016ea0", "\u1c89\u1c8a", "\u2e5d\u2e43", "\u20c0₹$€", "x\u035cy\u0361z", "\U000e0041",
    "The patient\u2019s BP was 120/80 mmHg (normal).", "it  is  a  test .  Do not , do not ! n't",
    "ab\u4e00cd\u3400e\U00020000f", "1a2b3", "A1B2 ①②", "a\n b\n  c", "\n\n\n", " \n \n", "a \u0301b", "۱۲۳ ৪৫৬ 七八九",
]

ALPHABET = list("abcxyzABC 12.,!-_'\"\n\t<>[]▁Ġ#()") + list(
    "éàöñßſİıΣσςжЖ्किกำ中国日本ー각가한²³½①Ⅷ٣९\u0301\u0308\u0323\u0345\u200b\u200d\ufeff\u00a0\u3000\u2028\x00\x85\u00ad\ufffd")
ALPHABET += ["👍", "🏽", "🇨", "🇭", "𝛼", "𠀋", "foo", "Foo", "<s>", "</s>", "<mask>", "  ", "\r\n", "the", "ing", "Ⴀ", "ꮿ", "\U00010d40", "\u0897", "𞤀"]

REGEXES = [
    r"\s+", r" {2,}", r"\w+", r"\W+", r"\d", r"\d{1,3}", r"\p{L}+", r"\p{Lu}", r"\p{Ll}+", r"\p{M}", r"\p{N}", r"\p{P}", r"\p{S}+", r"\p{Z}",
    r"\p{Han}", r"\p{Hangul}+", r"\p{Greek}", r"[^\p{L}\p{N}]+", r"[a-cx]+", r"[^a-z]", r"(?i:foo|a)", r"(?i)x|b", r"'(?:[sdmt]|ll|ve|re)",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^(\s|[.,!?…。，、।۔،])]+", r"[\r\n]", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", r"[一-龥ࠀ-一가-퟿]+", r"(?<=\S)\s|\d", r"\b", r"\B.", r"^", r"$", r"\A.", r".\z",
    r"a*", r"x?", r"(?<!a)b", r"(?=[A-Z])", r"[\p{L}&&[^a-z]]", r"[[:alpha:]]+", r"[[:punct:]]", r"[[:space:]]+", r"[[:upper:]]", r"\h+", r".", r"(?m:.+)",
    r"a++b", r"(?>a+)b", r"\p{L}++", r"[^\s]{2}", r"(a|b)+", r"(?:ab){2,}", r".+?o", r"\p{^L}", r"\P{L}+", r"<[^>]*>", r"\x{e9}|\u00e8", r"\\n|\n",
    r"[\w-]+", r"\p{Alphabetic}", r"\R", r"\X", r"(?<q>a)\k<q>", r"foo|fo", r"\G.", r"\N+", r"[^\n]+|\n", r"[ \u00a0]", r"(?x) a b # c", r"\.", r"[0-9][0-9][0-9]",
    r"(?i:k|s)", r"[^\x00-\x7f]", r"\p{Cn}", r"\p{C}", r"a(?i)b|c", r"(?i:st)", r"[\u3040-\u30ff]+", r"\S+", r"\D+|\d", r"(?:(?!foo).)+",
]
STRINGS = [" ", "a", "foo", "  ", ".", "▁", "\n", "e\u0301", "é", "*", "\\", "ab", "", "中"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def pattern(rng):
    return {"Regex": rng.choice(REGEXES)} if rng.random() < 0.75 else {"String": rng.choice(STRINGS)}


def flag(rng):
    return rng.random() < 0.5


CHARSMAP = None


def normalizer(rng, depth=0):
    kinds = ["BertNormalizer", "Strip", "StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt", "Precompiled", "Replace",
             "Replace", "Prepend", "ByteLevel", "Sequence", "Sequence", "Sequence"]
    kind = rng.choice(kinds[:-3] if depth > 1 else kinds)
    out = {"type": kind}
    if kind == "BertNormalizer":
        out |= {"clean_text": flag(rng), "handle_chinese_chars": flag(rng), "strip_accents": rng.choice([None, True, False]),
                "lowercase": flag(rng)}
    elif kind == "Strip":
        out |= {"strip_left": flag(rng), "strip_right": flag(rng)}
    elif kind == "Precompiled":
        out |= {"precompiled_charsmap": CHARSMAP}
    elif kind == "Replace":
        out |= {"pattern": pattern(rng), "content": rng.choice(["", " ", "▁", "x", "é", "\\1$&", "👍", "  "])}
    elif kind == "Prepend":
        out |= {"prepend": rng.choice(["▁", "x ", "👍", " "])}
    elif kind == "Sequence":
        out |= {"normalizers": [normalizer(rng, depth + 1) for _ in range(rng.randrange(4))]}
    return out


def metaspace(rng):
    out = {"type": "Metaspace", "replacement": rng.choice("▁▁▁_👍")}
    scheme = rng.choice(["first", "first", "never", "always", None])
    if scheme:
        out["prepend_scheme"] = scheme
    if flag(rng):
        out["split"] = flag(rng)
    if rng.random() < 0.2:
        out["add_prefix_space"] = scheme != "never"
    return out


def pre_tokenizer(rng, depth=0):
    kinds = ["BertPreTokenizer", "ByteLevel", "Whitespace", "WhitespaceSplit", "Metaspace", "Metaspace", "CharDelimiterSplit", "Punctuation", "Digits",
             "Split", "Split", "Split", "UnicodeScripts", "FixedLength", "Sequence", "Sequence", "Sequence"]
    kind = rng.choice(kinds[:-3] if depth > 1 else kinds)
    out = {"type": kind}
    if kind == "ByteLevel":
        out |= {"add_prefix_space": flag(rng), "trim_offsets": flag(rng)}
        if flag(rng):
            out["use_regex"] = flag(rng)
    elif kind == "Metaspace":
        return metaspace(rng)
    elif kind == "CharDelimiterSplit":
        out["delimiter"] = rng.choice("a |é👍")
    elif kind == "Punctuation" and flag(rng):
        out["behavior"] = rng.choice(BEHAVIORS)
    elif kind == "Digits":
        out["individual_digits"] = flag(rng)
    elif kind == "Split":
        out |= {"pattern": pattern(rng), "behavior": rng.choice(BEHAVIORS), "invert": flag(rng)}
    elif kind == "FixedLength":
        out["length"] = rng.randrange(1, 8)
    elif kind == "Sequence":
        out["pretokenizers"] = [pre_tokenizer(rng, depth + 1) for _ in range(rng.randrange(4))]
    return out


def decoder(rng, depth=0):
    kinds = ["ByteLevel", "WordPiece", "Metaspace", "BPEDecoder", "CTC", "Replace", "Fuse", "Strip", "ByteFallback", "Sequence", "Sequence"]
    kind = rng.choice(kinds[:-2] if depth > 1 else kinds)
    out = {"type": kind}
    if kind == "ByteLevel":
        out |= {"add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    elif kind == "WordPiece":
        out |= {"prefix": rng.choice(["##", "", "▁"]), "cleanup": flag(rng)}
    elif kind == "Metaspace":
        return metaspace(rng)
    elif kind == "BPEDecoder":
        out["suffix"] = rng.choice(["</w>", "a", ""])
    elif kind == "CTC":
        out |= {"pad_token": rng.choice(["<pad>", "a"]), "word_delimiter_token": rng.choice(["|", "▁"]), "cleanup": flag(rng)}
    elif kind == "Replace":
        out |= {"pattern": pattern(rng), "content": rng.choice([" ", "", "x"])}
    elif kind == "Strip":
        out |= {"content": rng.choice(" a▁"), "start": rng.randrange(3), "stop": rng.randrange(2)}
    elif kind == "Sequence":
        out["decoders"] = [decoder(rng, depth + 1) for _ in range(rng.randrange(4))]
    return out


CONTENTS = ["<s>", "</s>", "<unk>", "<mask>", "foo", "Foo", "fo", "foobar", "é", "e\u0301", "[CLS]", "<|x|>", " ", "  ", "a", "\n", "中", "👍", "▁a", "x y",
            "constructor", "<0x0A>", "ﬁ", "_", "²"]


def added_tokens(rng, vocabulary, following):
    out = []
    for content in rng.sample(CONTENTS, rng.choice([0, 0, 1, 2, 4, 8])):
        id = vocabulary.get(content)
        if id is None:
            id, following = following, following + 1
        out.append({"id": id, "content": content, "single_word": rng.random() < 0.25, "lstrip": rng.random() < 0.25,
                    "rstrip": rng.random() < 0.25, "normalized": flag(rng), "special": flag(rng)})
    return out


def template(rng, ids):
    token = lambda: {"SpecialToken": {"id": rng.choice(ids)[0], "type_id": 0}}
    single = [token() for _ in range(rng.randrange(3))] + [{"Sequence": {"id": "A", "type_id": 0}}] + [token() for _ in range(rng.randrange(2))]
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]} for name, id in ids}}


def post_processor(rng, vocabulary):
    ids = rng.sample(sorted(vocabulary.items()), 3)
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": flag(rng), "use_regex": True}
    kind = rng.choice(["TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"])
    if kind == "TemplateProcessing":
        return template(rng, ids)
    if kind == "ByteLevel":
        return byte_level
    if kind == "Sequence":
        return {"type": kind, "processors": [byte_level, template(rng, ids)]}
    out = {"type": kind, "sep": list(ids[0]), "cls": list(ids[1])}
    return out if kind == "BertProcessing" else out | {"trim_offsets": flag(rng), "add_prefix_space": flag(rng)}


def options(rng, name, base):
    if base["type"] == "BPE":
        out = {"fuse_unk": flag(rng), "byte_fallback": flag(rng), "ignore_merges": flag(rng)}
        out["unk_token"] = rng.choice([None, next(iter(base["vocab"]))])
        return out
    if base["type"] == "Unigram":
        return {"byte_fallback": flag(rng)}
    return {"max_input_chars_per_word": rng.choice([5, 100])} if base["type"] == "WordPiece" else {}


def file(rng, bases):
    name = rng.choice(sorted(bases))
    base = bases[name]
    vocabulary = base["vocab"] if isinstance(base["vocab"], dict) else {token: i for i, (token, _) in enumerate(base["vocab"])}
    return {"model": {"base": name} | options(rng, name, base),
            "added_tokens": added_tokens(rng, vocabulary, len(base["vocab"])),
            "normalizer": normalizer(rng) if rng.random() < 0.7 else None,
            "pre_tokenizer": pre_tokenizer(rng) if rng.random() < 0.8 else None,
            "post_processor": post_processor(rng, vocabulary) if rng.random() < 0.7 else None,
            "decoder": decoder(rng) if rng.random() < 0.8 else None}


def model_of(trained):
    return json.loads(trained.to_str())["model"]


def trained(model, trainer, pre_tokenizer, normalizer=None):
    t = Tokenizer(model)
    t.pre_tokenizer = pre_tokenizer
    if normalizer:
        t.normalizer = normalizer
    t.train_from_iterator(LINES * 2, trainer)
    return model_of(t)


def bases():
    words, spaces = pre_tokenizers.Whitespace(), pre_tokenizers.Metaspace()
    some_bytes = [f"<0x{i:02X}>" for i in [10, 0xC2, 0xC3, 0xA9, 0xE2, 0x80, 0x8B]]
    out = {
        "bpe": trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
            vocab_size=400, special_tokens=["<unk>", "<s>", *some_bytes], limit_alphabet=150, show_progress=False), spaces),
        "affixes": trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"), trainers.BpeTrainer(
            vocab_size=400, special_tokens=["<unk>"], limit_alphabet=120, continuing_subword_prefix="##", end_of_word_suffix="</w>",
            show_progress=False), words),
        "bytes": trained(models.BPE(), trainers.BpeTrainer(
            vocab_size=420, special_tokens=["<|x|>"], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False)),
        "wordpiece": trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
            vocab_size=400, special_tokens=["[UNK]", "[CLS]", "[SEP]"], limit_alphabet=150, show_progress=False), words),
        "wordlevel": trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(
            vocab_size=250, special_tokens=["<unk>", "<s>"], show_progress=False), words),
        "unigram": trained(models.Unigram(), trainers.UnigramTrainer(
            vocab_size=400, special_tokens=["<unk>", "<s>", "</s>", *some_bytes], unk_token="<unk>", show_progress=False), spaces),
    }
    vocab = out["wordlevel"]["vocab"]
    for word in ["constructor", "__proto__", "toString"]:
        vocab.setdefault(word, len(vocab))
    return out


def charsmap():
    """A small one of SentencePiece's own making: letters, a ligature, a pair, what vanishes, what grows."""
    import io

    import sentencepiece
    rules = Path("/tmp/rules.tsv")
    pairs = [("é", "e"), ("e\u0301", "ë"), ("ﬁ", "fi"), ("\u200b", ""), ("\t", " "), ("\n", " "), ("ａ", "a"), ("Ａ", "A"), ("①", "1"), ("½", "1/2"),
             ("\u1100\u1161", "가"), ("\u00ad", ""), ("ab", "b"), ("\r\n", "\n"), ("中", "国"), ("👍", "yes"), ("\u3000", " "), ("㍿", "株式会社"), ("x", "")]
    hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)
    rules.write_text("".join(f"{hexes(a)}\t{hexes(b)}\n" for a, b in pairs))
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(LINES * 20), model_writer=out, vocab_size=2000, hard_vocab_limit=False, normalization_rule_tsv=str(rules),
                                             model_type="char", character_coverage=0.99, minloglevel=2)
    from sentencepiece import sentencepiece_model_pb2
    import base64
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    return base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()


def whole(file, models):
    model = file["model"]
    return file | {"version": "1.0", "truncation": None, "padding": None,
                   "model": models[model["base"]] | {k: v for k, v in model.items() if k != "base"}}


def encoded(tokenizer, line):
    """Ids and text; None for what is an error there."""
    try:
        ids = tokenizer.encode(line, add_special_tokens=False).ids
    except BaseException:
        return None, None
    try:
        return ids, tokenizer.decode(ids)
    except BaseException:
        return ids, None


def all_encoded(tokenizer, lines):
    """In a process of its own, since some files make the library take all memory, or never end."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        signal.alarm(20)
        with os.fdopen(write, "w") as out:
            for line in lines:
                out.write(json.dumps(encoded(tokenizer, line)) + "\n")
                out.flush()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        results = [json.loads(row) for row in told if row.endswith("\n")]
    os.waitpid(child, 0)
    return results + [[None, None]] * (len(lines) - len(results))


def loaded(file, models):
    try:
        return Tokenizer.from_str(json.dumps(whole(file, models)))
    except BaseException:
        return None


def before(tokenizer):
    """How many ids stand before a text; StopIteration where nothing is left of any."""
    masks = [tokenizer.encode(text).special_tokens_mask for text in ["a", "foo", "the patient"]]
    return next(mask for mask in masks if 0 in mask).index(0)


def hashed(value):
    if value is None:
        return 0
    packed = struct.pack(f"<{len(value)}I", *value) if isinstance(value, list) else value.encode()
    return zlib.crc32(packed) % 65535 + 1


FOLDERS = {name: HERE / name for name in ["llama3", "gpt2", "llama2", "unigram"]} | {
    "wordpiece": HERE.parents[2] / "experiments/demo/retriever"}


def row(tokenizer):
    try:
        first = 65534 if tokenizer.post_processor is None else before(tokenizer)
    except BaseException:
        first = 65533
    hashes = [hashed(value) for pair in all_encoded(tokenizer, LINES) for value in pair]
    return struct.pack(f"<{1 + len(hashes)}H", first, *hashes)


def golden():
    global CHARSMAP
    CHARSMAP = charsmap()
    models = bases()
    rng = random.Random(10)
    files, rows = [], []
    while len(files) < 300:
        one = file(rng, models)
        tokenizer = loaded(one, models)
        if tokenizer is not None:
            files.append(one)
            rows.append(row(tokenizer))
    rows += [row(Tokenizer.from_file(str(folder / "tokenizer.json"))) for folder in FOLDERS.values()]
    (HERE / "generated.bin").write_bytes(b"".join(rows))
    text = json.dumps({"charsmap": "", "folders": list(FOLDERS), "lines": LINES, "models": models, "files": files},
                      ensure_ascii=False, separators=(",", ":"))
    short = text.replace(f'"{CHARSMAP}"', '"$charsmap"').replace('"charsmap":""', f'"charsmap":"{CHARSMAP}"')
    (HERE / "generated.json").write_text(short)


def noise(rng):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(1, 30)))


def trial(count, folder, seed):
    global CHARSMAP
    CHARSMAP = charsmap()
    models = bases()
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    (folder / "models.json").write_text(json.dumps(models))
    rng = random.Random(seed)
    with (folder / "trial.jsonl").open("w") as out:
        for _ in range(count):
            one = file(rng, models)
            tokenizer = loaded(one, models)
            some = rng.sample(LINES, 25) + [noise(rng) for _ in range(25)]
            results = [(line, *found) for line, found in zip(some, all_encoded(tokenizer, some))] if tokenizer else None
            out.write(json.dumps({"file": one, "results": results}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        trial(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    else:
        golden()
