"""What Python's re.findall finds: writes search.json.

    python search.py
"""

import json
import re
from pathlib import Path

PATTERNS = [
    r"\b[A-TV-Z][0-9]{2}(?:\.?[0-9A-Z]{1,4})?\b",
    r"\((.)\)",
    r"(?i)answer(?: is)?:?\s*\(?([A-D])\)?",
    r"(\w+)=(\d+)?",
    r"^\w+$",
    r"(?m)^(.*)$",
    r"a.b",
    r"(?s)a.b",
    r"[\w\-]+",
    r"\"(.*?)\"",
    r"(?P<x>é+)|(?P<y>z)",
    r"-?\d+\.\d*",
    r"\ba\b",
    r"[^\s]+$",
    r"The correct answer is (\w):",
    r"x{,2}y",
    r"\B.",
]
TEXTS = [
    "Code E11.9 and Z99, J45",
    "(A) (B)",
    "Answer: (c) ANSWER IS b",
    "a=1 b= ç=٣",
    "één",
    "één\n",
    "l1\r\nl2\n",
    "a\nb a\rb acb",
    'x-y_z "q" "r"',
    "ééz",
    "-3.5 2.",
    "naïve a à a",
    "The correct answer is é: The correct answer is B:",
    "xxxy y",
    "",
]
cases = [
    [pattern, text, [list(own) if isinstance(own, tuple) else own for own in re.findall(pattern, text)]]
    for pattern in PATTERNS
    for text in TEXTS
]
with open(Path(__file__).parent / "search.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
