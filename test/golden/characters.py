"""Classes of characters as Hugging Face's Rust library has them: src/runtime/tokenizers/characters/tables.ts.

The library asks several sources, each of a Unicode version of its own; this script asks the library about every
character. A class is written as gaps and lengths of its ranges, in base 36.
"""

from pathlib import Path

import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = Path(__file__).parents[2] / "src/runtime/tokenizers/characters/tables.ts"
CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(holds):
    out = []
    for c in filter(holds, CHARACTERS):
        code = ord(c)
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def base36(n):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[n] if n < 36 else base36(n // 36) + digits[n % 36]


def packed(pairs):
    at, words = 0, []
    for first, last in pairs:
        words += [base36(first - at), base36(last - first)]
        at = last + 1
    return " ".join(words)


def splits(pre_tokenizer):
    return lambda c: len(pre_tokenizer.pre_tokenize_str("a" + c + "a")) > 1


def strips(normalizer):
    return lambda c: normalizer.normalize_str(c) == ""


def unassigned():
    pre_tokenizer = pre_tokenizers.Split(Regex(r"\p{Cn}"), "removed")
    return lambda c: not pre_tokenizer.pre_tokenize_str(c)


def composing():
    parts = set()
    for c in CHARACTERS:
        whole = unicodedata2.normalize("NFD", c)
        if len(whole) > 1 and unicodedata2.normalize("NFC", whole) == c:
            parts.update(whole)
    return parts


def unnormalised():
    """Characters that later versions of Unicode decompose, reorder or compose, and the library leaves as they are."""
    nfd, nfkd = normalizers.NFD(), normalizers.NFKD()
    parts = composing()

    def unmoved(c):
        return nfd.normalize_str("a\u0345" + c) == "a\u0345" + c and nfd.normalize_str("a" + c + "\u0334") == "a" + c + "\u0334"

    def old_composes(c):
        nfc = normalizers.NFC()
        return any(nfc.normalize_str(unicodedata2.normalize("NFD", w)) == w for w in wholes.get(c, []))

    wholes = {}
    for c in CHARACTERS:
        for part in set(unicodedata2.normalize("NFD", c)) if unicodedata2.normalize("NFD", c) != c else ():
            wholes.setdefault(part, []).append(c)

    def holds(c):
        now = unicodedata2.combining(c) or unicodedata2.normalize("NFKD", c) != c or c in parts
        return now and nfkd.normalize_str(c) == c and unmoved(c) and not old_composes(c)

    return holds


def scripts():
    """Ranges of one script, each with a number for the script; characters of none are left out."""
    together = pre_tokenizers.UnicodeScripts().pre_tokenize_str
    found, examples = [], []

    def same(a, b):
        return len(together(a + b)) == 1

    for c in CHARACTERS:
        if same("a", c) and same("б", c):
            continue
        number = found[-1][2] if found and same(examples[found[-1][2]], c) else next(
            (i for i, example in enumerate(examples) if same(example, c)), len(examples))
        if number == len(examples):
            examples.append(c)
        if found and found[-1][1] == ord(c) - 1 and found[-1][2] == number:
            found[-1][1] = ord(c)
        else:
            found.append([ord(c), ord(c), number])
    at, words = 0, []
    for first, last, number in found:
        words += [base36(first - at), base36(last - first), base36(number)]
        at = last + 1
    return " ".join(words)


def main():
    marks = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    tables = {
        "unassigned": ("Unassigned in Oniguruma's Unicode, and in that of the library's own expressions.", packed(ranges(unassigned()))),
        "punctuation": ("Punctuation, and ASCII's symbols.", packed(ranges(splits(pre_tokenizers.Punctuation("isolated"))))),
        "nonspacingMarks": ("What BertNormalizer strips as accents.", packed(ranges(strips(marks)))),
        "combiningMarks": ("What StripAccents strips.", packed(ranges(strips(normalizers.StripAccents())))),
        "numeric": ("What Digits takes for digits.", packed(ranges(splits(pre_tokenizers.Digits(True))))),
        "unnormalised": ("Older than no normal form of the library: they stay as they are, where they are.",
                         packed(ranges(unnormalised()))),
        "scripts": ("Ranges of a script, each followed by a number for the script.", scripts()),
    }
    text = "/** Made by test/golden/characters.py: classes of characters as Hugging Face's Rust library has them. */\n"
    for name, (said, table) in tables.items():
        text += f'\n/** {said} */\nexport const {name} =\n  "{table}"\n'
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
