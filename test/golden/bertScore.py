"""BERTScore by bert-score 0.3.13 (torch 2.15, transformers 5.24): writes bertScore.json.

    python bertScore.py [FOLDER]     all-MiniLM-L6-v2, whose figures are kept as they were if it is not given

The tiny encoders are bert-mean, roberta-mean, deberta-mean and deberta-v2-cls of sentences/, whose words are those of the texts. bert-score puts a space before
RoBERTa's texts by an argument that transformers 5 has no more: here the text gets it.
"""

import json
import sys
from pathlib import Path

import bert_score
from bert_score import utils
from transformers import AutoModel, PreTrainedTokenizerFast

HERE = Path(__file__).parent
# of an empty text; transformers 5 has it no more
PreTrainedTokenizerFast.build_inputs_with_special_tokens = lambda self, _: self.encode("")
TINY = HERE / "sentences" / "bert-mean"
ROBERTA = HERE / "sentences" / "roberta-mean"
DEBERTAS = {"deberta": HERE / "sentences" / "deberta-mean", "deberta-v2": HERE / "sentences" / "deberta-v2-cls"}
OUT = HERE / "bertScore.json"
WORDS = list(json.loads((TINY / "tokenizer.json").read_text())["model"]["vocab"])
WORDS = [w for w in WORDS if not w.startswith("[")]
TINY_PAIRS = [
    (" ".join(WORDS[:5]), [" ".join(WORDS[:5])]),
    (" ".join(WORDS[:3]), [" ".join(WORDS[2:9])]),
    (" ".join(WORDS[4:11]) + " unseen", [" ".join(reversed(WORDS[4:11])), WORDS[0]]),
    ("  ", [WORDS[1]]),
    (WORDS[2], [""]),
    (" ".join(WORDS * 2), [" ".join(WORDS[::-1] * 2)]),
]
PAIRS = [
    ("The patient denies chest pain.", ["Patient has no pain in the chest.", "No chest pain."]),
    ("Gaucher disease is caused by variants in GBA1.", ["Variants of GBA1 cause Gaucher disease."]),
    ("Metformin 500 mg twice daily", ["Start metformin 500mg bid.", "Nothing to report"]),
    ("naïve β-blocker", ["The sky is blue."]),
]


plain = utils.sent_encode


def spaced(tokenizer, sent):
    return plain(tokenizer, sent) if sent.strip() == "" else tokenizer.encode(
        " " + sent.strip(), max_length=tokenizer.model_max_length, truncation=True)


def scores(folder, pairs, layers, idf, baseline=None):
    utils.sent_encode = spaced if folder == ROBERTA else plain
    utils.get_tokenizer = lambda *_, **__: PreTrainedTokenizerFast.from_pretrained(folder)
    bert_score.score.__globals__["get_tokenizer"] = utils.get_tokenizer

    def model(*_):
        own = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
        own.encoder.layer = own.encoder.layer[:layers]
        return own

    bert_score.score.__globals__["get_model"] = model
    found = bert_score.score([c for c, _ in pairs], [r for _, r in pairs], model_type=str(folder), num_layers=layers, idf=idf,
                             nthreads=0, batch_size=1, lang="en", rescale_with_baseline=baseline is not None,
                             baseline_path=baseline and str(baseline))
    return [[float(x) for x in part] for part in found]


def cases(folder, pairs, layers, baseline):
    made = [{"layers": n, "idf": idf, "rescaled": False, "scores": scores(folder, pairs, n, idf)} for n in layers for idf in (False, True)]
    return made + [{"layers": layers[-1], "idf": False, "rescaled": True, "scores": scores(folder, pairs, layers[-1], False, baseline)}]


BASELINE = "LAYER,P,R,F\n0,0.1,0.2,0.15\n1,0.3,0.31,0.32\n2,0.4,0.45,0.42\n3,0.1,0.1,0.1\n4,0.1,0.1,0.1\n5,0.4,0.41,0.405\n"
path = HERE / "baseline.csv"
path.write_text(BASELINE)
before = json.loads(OUT.read_text()) if OUT.exists() else {}
told = {"baseline": BASELINE, "tiny": {"pairs": TINY_PAIRS, "cases": cases(TINY, TINY_PAIRS, [1, 2], path)}}
told["roberta"] = {"pairs": TINY_PAIRS, "cases": cases(ROBERTA, TINY_PAIRS, [1, 2], path)}
told |= {name: {"pairs": TINY_PAIRS, "cases": cases(folder, TINY_PAIRS, [1, 2], path)} for name, folder in DEBERTAS.items()}
told["minilm"] = {"pairs": PAIRS, "cases": cases(Path(sys.argv[1]), PAIRS, [3, 5], path)} if len(sys.argv) > 1 else before.get("minilm")
path.unlink()
OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
