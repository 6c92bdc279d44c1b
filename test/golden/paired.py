"""Tests and agreement by scipy, statsmodels and scikit-learn: writes paired.json.

    python paired.py     (pip install scipy statsmodels scikit-learn)
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

HERE = Path(__file__).parent
rng = np.random.default_rng(5)

mcnemars = []
for lost, won in [(0, 0), (0, 1), (3, 3), (2, 9), (10, 4), (0, 12), (40, 61), (400, 470), (1200, 1000)]:
    p = mcnemar([[5, lost], [won, 7]], exact=True).pvalue
    mcnemars.append({"lost": lost, "won": won, "p": 1.0 if np.isnan(p) else float(p)})

permutations = []
for n in [2, 3, 6, 10, 14]:
    values = np.round(rng.normal(0.3, 1, n), 3)
    found = stats.permutation_test(
        (values, np.zeros(n)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    permutations.append({"values": values.tolist(), "p": float(found.pvalue)})

holms = []
for n in [1, 2, 5, 9]:
    ps = np.round(rng.uniform(0, 0.3, n), 4)
    holms.append({"ps": ps.tolist(), "adjusted": multipletests(ps, method="holm")[1].tolist()})

kappas = []
for n, levels in [(4, 2), (30, 3), (60, 5), (25, 5)]:
    a = rng.integers(0, levels, n)
    b = np.where(rng.uniform(size=n) < 0.6, a, rng.integers(0, levels, n))
    own = {name: float(cohen_kappa_score(a, b, weights=None if name == "none" else name, labels=list(range(levels))))
           for name in ["none", "linear", "quadratic"]}
    kappas.append({"labels": [str(i) for i in range(levels)], "a": [str(x) for x in a], "b": [str(x) for x in b], **own})

golden = {"mcnemar": mcnemars, "permutation": permutations, "holm": holms, "kappa": kappas}
(HERE / "paired.json").write_text(json.dumps(golden, indent=1) + "\n")
