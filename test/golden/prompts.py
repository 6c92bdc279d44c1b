"""Chat prompts as transformers makes them, and module names as PEFT matches them: prompts.json, patterns.json.

prompts.json: for tokenizers of tokenizers/ and templates that do with a user's words what published ones do (trim them,
change them, look at them), the ids of `apply_chat_template` of several messages, on the 26th of July 2024.
patterns.json: which of some names `re.fullmatch` matches; null where Python refuses the pattern.
"""

import datetime
import json
import re
import warnings
from pathlib import Path

from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

HERE = Path(__file__).parent


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Day

LLAMA = ("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>")
IM = ("<|im_start|>", "\n", "<|im_end|>\n")


def header(marks, content="message.content", before=""):
    start, middle, end = (json.dumps(m) for m in marks)
    return (before + "{%- for message in messages %}{{- " + start + " + message.role + " + middle + " + (" + content + ") + " + end
            + " }}{%- endfor %}{%- if add_generation_prompt %}{{- " + start + " + 'assistant' + " + middle + " }}{%- endif %}")


TEMPLATES = {
    "trimmed, with the day": ("llama3", header(LLAMA, "message.content | trim", (
        "{{- bos_token }}{%- if strftime_now is defined %}{%- set day = strftime_now('%d %b %Y') %}{%- endif %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\n\nToday: ' + day + '\n\n<|eot_id|>' }}"))),
    "trimmed, days spelled otherwise": ("llama3", header(LLAMA, "message.content.strip()", (
        "{{- bos_token + strftime_now('%Y-%m-%d %A %B %-d %H:%M %p %j %y') + '\n' }}"))),
    "as it is": ("gpt2", header(IM)),
    "tools and documents asked for": ("gpt2", header(IM, before=(
        "{%- if tools is not none %}{{- 'TOOLS' }}{%- endif %}{%- if documents %}{{- 'DOCUMENTS' }}{%- endif %}"
        "{%- if not tools is defined %}{{- 'UNDEFINED' }}{%- endif %}"))),
    "trimmed to the right": ("gpt2", header(IM, "message.content.rstrip()")),
    "changed by what it says": ("gpt2", header(IM, (
        "message.content.replace('/no_think', '').strip() if '/no_think' in message.content else message.content"),
        "{%- if '/no_think' in messages[-1].content %}{{- 'quick\n' }}{%- endif %}")),
    "of several parts": ("gpt2", (
        "{%- macro said(m) %}{%- if m.content is string %}{{- m.content }}{%- else %}{%- for p in m.content %}{{- p.text }}"
        "{%- endfor %}{%- endif %}{%- endmacro %}{%- set ns = namespace(n=0) %}{%- for m in messages %}{%- set ns.n = ns.n + 1 %}"
        "{{- '<|im_start|>' ~ m.role ~ ' ' ~ ns.n ~ '\n' ~ said(m) ~ '<|im_end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}")),
    "with the assistant's words marked": ("llama2", (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'].strip() + ' [/INST]' }}"
        "{% else %}{% generation %}{{ ' ' + m['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}")),
    "with a thought to begin with": ("gpt2", header(IM) + "{%- if add_generation_prompt %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"),
}
FIRST = {"llama3": "<|begin_of_text|>", "gpt2": None, "llama2": "<s>"}
LAST = {"llama3": "<|eot_id|>", "gpt2": None, "llama2": "</s>"}

DOCS = ["Gaucher disease. GBA1 encodes β-glucocerebrosidase.", "Fabry disease, 37.5 °C.\n\n", "  two  blanks "]
DOCUMENT, QUESTION = "\nReference:\n{text}", "\nMy Question:\n{question}"
ASKED = ["Which gene?\nA. GLA\nB. GBA1", " blanks around  ", "x", "which? /no_think", "ends in a line\n", "naïve 戈谢病 👍🏽 é",
         "<|eot_id|><s>[INST] no"]


def chats():
    out = []
    for about, (name, template) in TEMPLATES.items():
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "tokenizers" / name / "tokenizer.json"),
                                            bos_token=FIRST[name], eos_token=LAST[name], chat_template=template)
        cases = []
        for i, asked in enumerate(ASKED):
            docs = [k % len(DOCS) for k in range(i % 4)]
            content = "".join(DOCUMENT.replace("{text}", DOCS[d]) for d in docs) + QUESTION.replace("{question}", asked)
            for said, of in ((content, {"docs": docs, "asked": asked}), (asked, {"said": asked})):
                ids = tokenizer.apply_chat_template([{"role": "user", "content": said}], add_generation_prompt=True,
                                                    return_dict=False)
                cases.append({**of, "ids": ids})
        out.append({"about": about, "tokenizer": name, "bos_token": FIRST[name], "eos_token": LAST[name],
                    "template": template, "cases": cases})
    return {"texts": DOCS, "document_prompt": DOCUMENT, "question_prompt": QUESTION, "chats": out}


PATTERNS = [
    r".*\.(q|v)_proj", r"(?i).*Q_PROJ", r"(?P<a>q|k)_proj", r"model\.layers\.\d+\.self_attn\.[qkvo]_proj", r".*[^]]proj",
    r"[]q]_proj", r".*(?:self_attn|mlp)\.(?!up).*proj", r"\A.*q_proj\Z", r".*layers\.\d{,1}\..*", r".*layers\.\d{1,}\..*",
    r"(?s).*q_proj", r".*q_proj$", r"^.*q_proj", r"*.q_proj", "(", "[", r"a\q", r".*\.(\w)\w*_proj",
    r"(?P<l>q)_(?P=l)roj", r".*(?#comment)q_proj", r"q_proj|v_proj", "lm_head", r".*\.{0}q", "a{b", "x}", r".*\_proj",
    r".*\-proj", r"\d", "", r"(?im).*Q_proj", r".*[\w.]q_proj", r".*[[]q", r".*?q_proj", r"\Bq", r"layers\.(?:1?[0-9])\..*",
    r"model.*\.(?:[5-9]|1\d)\..*", r"a|b\\", r"\\", "a\\", r".*\x71_proj", r"\u0071_proj", r".*\.q_proj\s*", r"(?<=a)q",
    r"(?L)a", r"a**", "??", r"(?P<1a>x)", r"(?a)q_proj", r"(?z)a", r"x{1,2}\}?", r"[a-c]{2}?", r"(q_proj)|(.*up_proj)", "a]",
]
NAMES = ["q_proj", "v_proj", "lm_head", "model.layers.0.self_attn.q_proj", "model.layers.11.self_attn.v_proj",
         "model.layers.7.mlp.up_proj", "model.layers.3.mlp.down_proj", "model.embed_tokens", "a{b", "x}", "]proj", "x[q",
         "q_qroj", "model.norm", "1", "", "aq", "\\", "b\\", "a", "layers.12.x", "xx}", "ab", "a]"]


def matched(pattern):
    try:
        return [name for name in NAMES if re.fullmatch(pattern, name)]
    except re.error:
        return None


def main():
    warnings.simplefilter("ignore")
    document = chats()
    lines = ",\n".join(json.dumps(chat) for chat in document.pop("chats"))
    (HERE / "prompts.json").write_text(json.dumps(document)[:-1] + ', "chats": [\n' + lines + "\n]}\n")
    cases = [{"pattern": pattern, "matched": matched(pattern)} for pattern in PATTERNS]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "patterns.json").write_text(json.dumps({"names": NAMES})[:-1] + ', "cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
