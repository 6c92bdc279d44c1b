"""Mutated chat templates by Python's Jinja, as transformers sets it up: templates.json.gz.

A list of templates with their special tokens, each with a text for each of some chats, on the 26th of July 2024;
null where that is an error.
    node templateMutations.ts 3000 1 | python templateMutations.py templates.json.gz
"""

import copy
import datetime
import gzip
import json
import sys
import warnings

from transformers.utils import chat_template_utils

warnings.simplefilter("ignore")


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Day


def rendered(template, tokens, chat):
    try:
        own = template.render(messages=copy.deepcopy(chat), tools=None, documents=None,
                              add_generation_prompt=True, **tokens)
        own.encode()
        return own
    except Exception:
        return None


def texts(case):
    try:
        template = chat_template_utils._compile_jinja_template(case["template"])
    except Exception:
        return [None] * len(chats)
    return [rendered(template, case["tokens"], chat) for chat in chats]


chats = json.loads(sys.stdin.readline())
cases = [json.loads(line) for line in sys.stdin]
content = json.dumps([case | {"texts": texts(case)} for case in cases])
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress(content.encode(), 9, mtime=0))
