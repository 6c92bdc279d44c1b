"""Tokenizers of four kinds on a thousand lines: tokenizers/.

lines.json: passages and questions of the shipped world, and lines of other scripts, clinical symbols, odd spaces, digits and
special tokens. <kind>/tokenizer.json: trained here on the shipped world in the form that models of that kind have;
`wordpiece` is the demo's own. <kind>.ids: for each line the number of ids, then the ids without special tokens, as little-endian
uint16; then the same of the first fifty lines with special tokens. decoded.json: for each kind the lines that its ids are
not decoded to, by number, and what they are decoded to instead. chats.json: a user's words in chat templates, and their
ids.
"""

import json
import random
import struct
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent / "tokenizers"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")

CLINICAL = ["µg/mL", "μmol/L", "≥ 5 × 10⁹/L", "≤0.05", "37.5 °C", "½ tablet", "¼", "β-glucocerebrosidase", "α-Gal A", "TNF-α",
            "Na⁺/K⁺", "Ca²⁺", "Fe³⁺", "m²", "p<0.001", "±2 SD", "→", "↑ALT", "↓Hb", "∆F508", "c.1226A>G", "p.(Asn409Ser)",
            "NM_000157.4:c.1448T>C", "q.i.d.", "b.i.d.", "‰", "™", "®", "′", "″", "–", "—", "…", "“quoted”", "‘so’", "№ 7",
            "κ=0.81", "χ²", "Σ", "√n", "≈", "≠", "∞", "‑", "①", "ﬁbrosis", "ﬀ", "㎎", "Å", "Ångström", "naïve", "Sjögren",
            "Ménière", "Guillain–Barré", "Behçet", "Waldenström", "Ehlers–Danlos", "Königsmark"]
SCRIPTS = ["болезнь Гоше", "νόσος", "ゴーシェ病の診断", "戈谢病是一种罕见病", "고셰병", "مرض غوشيه", "מחלת גושה", "โรคโกเชอร์",
           "गौशे रोग", "Ґўќ", "ǅ", "İstanbul", "ß", "ẞ", "ſ", "é", "é", "ö̲", "Å", "𝛼𝛽𝛾", "𝒙", "👩‍⚕️", "🧬", "👍🏽",
           "🇨🇭", "\u200bzero\u200bwidth", "soft\u00adhyphen", "\ufeffmark", "no\u00a0break", "thin\u2009space", "em\u2003space",
           "\u3000wide", "\u0085next", "\u2028line", "tab\there", "\x00null", "\x07bell", "\x7f", "\ufffd", "\ue000", "ﷺ",
           "Ⅷ", "²³", "٣٤٥", "一二三", "㍿", "ﾊﾝｶｸ", "ｆｕｌｌ", "𠀋", "😀😃", "­"]
SPACES = ["  two", "   three  ", " lead", "trail ", "\ttab", "a  b   c    d", "", " ", "   ", "new\nline", "two\n\nlines", "\r\n", "a\r\nb\n",
          " \n \n"]
SPECIAL = ["<s>", "</s>", "<unk>", "[CLS] a [SEP]", "[MASK]", "x<s>y", "<|begin_of_text|>hello<|eot_id|>", "<pad>", "[unused0]",
           " <s> ", "<s><s>", "<0x0A>", "▁", "Ġ", "##ing", "Ċ"]
NUMBERS = ["1234567890", "3.14159", "1,000,000", "0.5", "12:30", "2026-11-21", "1e-9", "50%", "#1", "A1c 7.2%", "don't", "I'LL",
           "they've", "O'Brien's", "it's", "'tis", "HELLO World", "camelCase", "snake_case_id", "a.b@c.org", "www.x.org/y?z=1&q=2",
           "f(x)=x**2", "{\"a\": [1, 2]}", "<b>bold</b>", "C++", "a" * 150, "ab" * 120, "!" * 40, "-" * 30, "..." * 9]


def world():
    texts = [json.loads(line)["text"] for line in (ROOT / "data/world/passages.jsonl").open()]
    asked = [json.loads(line)["question"] for line in (ROOT / "data/world/questions.train.jsonl").open()]
    return texts, asked


def lines():
    rng = random.Random(7)
    texts, asked = world()
    odd = CLINICAL + SCRIPTS + SPACES + SPECIAL + NUMBERS
    mixed = []
    while len(mixed) < 520:
        words = rng.choice(texts).split()[: rng.randrange(1, 8)]
        for _ in range(rng.randrange(1, 4)):
            words.insert(rng.randrange(len(words) + 1), rng.choice(odd))
        mixed.append(rng.choice([" ", "", "  ", "-", "\n"]).join(words) if rng.random() < 0.3 else " ".join(words))
    rest = 1000 - len(odd) - len(mixed)
    return odd + mixed + rng.sample(texts, rest // 3) + rng.sample(asked, rest - rest // 3)


def bos_template(token):
    return processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, 0)])


def added(texts):
    return [AddedToken(text, special=True, normalized=False) for text in texts]


def llama3(texts):
    """Byte-level, words by Llama-3's pattern, its own first token."""
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    t = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated")
    t.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=1200, special_tokens=added(special), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), bos_template("<|begin_of_text|>")])
    return t


def gpt2(texts):
    """Byte-level, words by GPT-2's pattern, without tokens of its own; composed letters, as Qwen's."""
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, special_tokens=added(["<|endoftext|>"]), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def llama2(texts):
    """SentencePiece's byte-pair encoding: spaces are letters, what is not in the vocabulary is spelled in bytes."""
    special, units = ["<unk>", "<s>", "</s>"], [f"<0x{i:02X}>" for i in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, special_tokens=added(special + units), limit_alphabet=60, show_progress=False))
    trained = json.loads(t.to_str())["model"]
    t = Tokenizer(models.BPE(vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]], unk_token="<unk>",
                             fuse_unk=True, byte_fallback=True))
    t.add_special_tokens(added(special))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(content=" ", left=1)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def unigram(texts):
    """SentencePiece's unigram language model, with compatible forms made one."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    t.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=900, special_tokens=added(["<pad>", "</s>", "<unk>"]), unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def packed(tokenizer, some):
    coded = [tokenizer.encode(line, add_special_tokens=False).ids for line in some]
    coded += [tokenizer.encode(line).ids for line in some[:50]]
    return b"".join(struct.pack(f"<{len(ids) + 1}H", len(ids), *ids) for ids in coded)


def decoded(tokenizer, some):
    back = [tokenizer.decode(tokenizer.encode(line, add_special_tokens=False).ids) for line in some]
    return {i: text for i, (line, text) in enumerate(zip(some, back)) if text != line}


SAID = "Which gene is at fault in Gaucher disease?\nA. GBA1\nB. GLA"
# Templates in the forms of Llama 3, of ChatML and of Llama 2; the first asks for the day, the last trims.
CHATS = {
    "llama3": (
        "{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\n\nToday: ' + date_string + '\n\n<|eot_id|>' }}"
        "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
        "+ message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"),
    "gpt2": (
        "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}"
        "{% endif %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"),
    "llama2": (
        "{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('Users speak first.') }}{% endif %}"
        "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Turns must alternate.') }}{% endif %}"
        "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'].strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"),
}
FIRST = {"llama3": "<|begin_of_text|>", "gpt2": None, "llama2": "<s>"}


def chats():
    out = {}
    for name, template in CHATS.items():
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / name / "tokenizer.json"), bos_token=FIRST[name],
                                            chat_template=template)
        ids = tokenizer.apply_chat_template([{"role": "user", "content": SAID}], add_generation_prompt=True,
                                            date_string="26 Jul 2024", return_dict=False)
        out[name] = {"template": template, "bos_token": FIRST[name], "said": SAID, "ids": ids}
    return out


def main():
    HERE.mkdir(exist_ok=True)
    some = lines()
    (HERE / "lines.json").write_text(json.dumps(some, indent=0))
    texts, _ = world()
    back = {}
    for name, make in {"llama3": llama3, "gpt2": gpt2, "llama2": llama2, "unigram": unigram}.items():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        tokenizer = make(texts)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        (HERE / f"{name}.ids").write_bytes(packed(tokenizer, some))
        back[name] = decoded(tokenizer, some)
    (HERE / "decoded.json").write_text(json.dumps(back, indent=0))
    (HERE / "chats.json").write_text(json.dumps(chats(), indent=1))
    demo = Tokenizer.from_file(str(ROOT / "experiments/demo/retriever/tokenizer.json"))
    (HERE / "wordpiece.ids").write_bytes(packed(demo, some))


if __name__ == "__main__":
    main()
