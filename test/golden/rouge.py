"""ROUGE by rouge-score 0.1.2 and stems by NLTK: writes rouge.json.

    python rouge.py     (pip install rouge-score==0.1.2)

Texts are drawn from few words, so that they share many, and from words with many suffixes; a few are given.
"""

import json
import random
from pathlib import Path

from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
GIVEN = [
    (
        "Patient has type-2 diabetes mellitus; denies chest pain.\nPlan: metformin 500 mg twice daily.",
        "The patient denies chest pains and has diabetes mellitus type 2.\nStart metformin 500mg daily.",
    ),
    ("What are the treatments for Noonan syndrome?", "How is Noonan's syndrome treated?"),
    ("β-blocker 0.5 µg naïve", "beta blocker 5 g naive"),
    ("", "text"),
    ("text", ""),
    ("...", "..."),
    ("a\n\nb a", "b\na a\n"),
    ("İstanbul ſ K", "istanbul s k"),
]
rng = random.Random(7)
STARTS = "cardi nephr operat relat rationa generaliz happ cr sp tr di oscill agre plaster controll hopp fall hiss fail fil digit vile sensi formal triplic electric hope good reviv inflam geo archaeo ho yy by sy toy enjoy".split()
ENDS = " s es ies ied eed ed ing ational tional enci anci izer bli abli alli entli eli ousli ization ation ator alism iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize e ll y".split(" ")
WORDS = sorted({start + end for start in STARTS for end in ENDS})
stemmer = PorterStemmer()
GIVEN_WORDS = "treatments treated syndromes diabetes daily happily happily dying lies skies news innings generalization rational spied died flies dies feed fulfilled yes".split()
pairs = list(GIVEN)
for i in range(40):
    pool = rng.sample(WORDS, 12) + ["the", "of", "a", "x1", "500"]
    text = lambda: "".join(
        rng.choice(pool) + rng.choice([" ", " ", " ", ", ", ".\n", "-"]) for _ in range(rng.randrange(1, 30))
    )
    pairs.append((text(), text()))
cases = []
for reference, prediction in pairs:
    case = {"reference": reference, "prediction": prediction}
    for stemmed in (False, True):
        scores = RougeScorer(KINDS, use_stemmer=stemmed).score(reference, prediction)
        case["stemmed" if stemmed else "plain"] = {
            kind: [scores[kind].precision, scores[kind].recall, scores[kind].fmeasure] for kind in KINDS
        }
    cases.append(case)
stems = {word: stemmer.stem(word) for word in [*WORDS, *GIVEN_WORDS]}
with open(Path(__file__).parent / "rouge.json", "w") as file:
    rows = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    file.write(f'{{"cases": [\n{rows}\n],\n"stems": {json.dumps(stems)}}}\n')
