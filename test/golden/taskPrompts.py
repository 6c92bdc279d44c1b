"""Prompts as lm-evaluation-harness puts them together: writes taskPrompts.json.

    python taskPrompts.py     (pip install --no-deps lm-eval==0.4.13)

Only the methods that join the parts are taken out of the package's files: the rest of it needs models and datasets.
"""

import ast
import importlib.util
import json
import random
from pathlib import Path

ROOT = Path(importlib.util.find_spec("lm_eval").submodule_search_locations[0])
scope: dict = {}
exec(compile((ROOT / "api" / "utils.py").read_text(), "utils", "exec"), scope)
tree = ast.parse((ROOT / "api" / "task.py").read_text())
method = next(
    node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "build_qa_turn"
)
exec(compile(ast.Module([method], []), "task", "exec"), scope)
build, join, Message = scope["build_qa_turn"], scope["maybe_delimit"], scope["Message"]

rng = random.Random(5)
ENDS = ["", " ", "\n"]
text = lambda own: rng.choice(ENDS) + own + rng.choice(ENDS)
cases = []
for _ in range(60):
    system, description = rng.choice(["", "Be brief."]), rng.choice(["", text("Answer.")])
    delimiter, between = rng.choice([" ", "", "\n"]), rng.choice(["\n\n", "\n"])
    prefix = rng.choice(["", "A:", "A: ", " A:"])
    shots = [[text("one"), text("1")], [text("two"), text("2")]][: rng.randrange(3)]
    question = text("three")
    messages = []
    if head := join(system, description, between):
        messages.append(Message("system", head))
    for q, a in shots:
        messages += build(None, q=q, a=a, gen_prefix=prefix, tgt_delim=delimiter, few_delim=between)
    messages += build(None, q=question, gen_prefix=prefix, tgt_delim=delimiter, few_delim="")
    cases.append(
        {
            "system": system,
            "description": description,
            "target_delimiter": delimiter,
            "fewshot_delimiter": between,
            "prefix": prefix,
            "shots": shots,
            "question": question,
            "plain": "".join(own.to_text() for own in messages),
            "dialogue": [{"role": own.role, "text": own.content} for own in messages],
        }
    )
with open(Path(__file__).parent / "taskPrompts.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
