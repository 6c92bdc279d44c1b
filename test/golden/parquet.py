"""Small parquet files as pyarrow writes them, of every kind that Hugging Face serves; run with pyarrow installed."""
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent / "parquet"
here.mkdir(exist_ok=True)

rows = [
    {
        "id": f"q{i}",
        "question": f"Which of {i}? é😀",
        "options": {"A": "GLA", "B": "ATP7B", "C": None if i % 2 else "HEXA"},
        "pairs": [{"key": "A", "value": "GLA"}, {"key": "B", "value": f"v{i}"}],
        "choices": ["Spleen", "Liver", f"Organ {i}"],
        "answer": i % 3,
        "score": i / 4,
        "flag": i % 2 == 0,
        "note": None if i % 3 else "same for many",
        "nothing": [],
        "deep": {"contexts": [f"a{i}", "b"], "inner": {"n": i}},
    }
    for i in range(25)
]
table = pa.Table.from_pylist(rows)
(here / "rows.json").write_text(json.dumps(table.to_pylist(), indent=0, ensure_ascii=False))
for name, options in {
    "snappy": {"compression": "snappy"},
    "zstd-v2": {"compression": "zstd", "data_page_version": "2.0", "row_group_size": 7},
    "gzip-plain": {"compression": "gzip", "use_dictionary": False, "row_group_size": 10},
    "brotli-delta": {"compression": "brotli", "use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY", "answer": "DELTA_BINARY_PACKED"}},
    "none-large": {"compression": "none", "write_page_checksum": True},
}.items():
    out = table
    if name == "none-large":
        out = table.set_column(0, "id", table["id"].cast(pa.large_string()))
    pq.write_table(out, here / f"{name}.parquet", **options)
