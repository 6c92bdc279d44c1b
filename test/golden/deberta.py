"""Buckets of distances by transformers' DeBERTa-v2 (torch, in float32): writes deberta.json.

Each entry: position_buckets, max_relative_positions, and the buckets of the distances 0, 1, ... up to the latter.
"""

import json
from pathlib import Path

import torch
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

SIZES = [(256, 512), (256, 1024), (32, 128), (12, 64), (7, 40), (4, 5)]

found = [[buckets, most, make_log_bucket_position(torch.arange(most), buckets, most).long().tolist()] for buckets, most in SIZES]
(Path(__file__).parent / "deberta.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
