"""What gepa 0.1.4 draws parents from: 120 random matrices of scores, and how often each program stands in the fronts left."""
import json
import random
from pathlib import Path

from gepa.gepa_utils import remove_dominated_programs

rng = random.Random(5)
cases = []
for _ in range(120):
    programs, examples, levels = rng.randint(1, 7), rng.randint(1, 9), rng.choice([2, 3, 5])
    scores = [[rng.randrange(levels) / (levels - 1) for _ in range(examples)] for _ in range(programs)]
    means = [sum(own) / examples for own in scores]
    if len(set(means)) < programs:
        continue  # the order of equal means is that of a Python set
    fronts = {v: {p for p in range(programs) if scores[p][v] == max(own[v] for own in scores)} for v in range(examples)}
    left = remove_dominated_programs(fronts, scores=means)
    cases.append({"scores": scores, "left": [sorted(left[v]) for v in range(examples)]})
Path(__file__).with_name("pareto.json").write_text(json.dumps(cases) + "\n")
print(len(cases))
