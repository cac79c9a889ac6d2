"""Writes the Parquet files beside it, as the Hugging Face hub has them: `pip install pyarrow && python generate.py`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

here = Path(__file__).parent
texts = [f"Row {i}: " + "Performers são λ𝛼 東京. " * (i % 5 + 1) for i in range(23)]
texts[3] = None
texts[7] = ""
table = pa.table(
    {
        "meta": pa.array([{"year": 1900 + i, "tags": ["a", "b"]} for i in range(23)]),
        "id": pa.array(range(100, 123), pa.int64()),
        "text": pa.array(texts, pa.string()),
        "organism": pa.array([None if i == 5 else f"group {i % 3}" for i in range(23)]).dictionary_encode(),
        "blob": pa.array([t.encode() if t and i != 11 else b"\xe9\x20" for i, t in enumerate(texts)], pa.binary()),
    }
)
for codec in ["snappy", "gzip", "zstd", "lz4"]:
    pq.write_table(table, here / f"{codec}.parquet", compression=codec, row_group_size=7, data_page_version="1.0")
pq.write_table(table, here / "page-v2.parquet", compression="zstd", row_group_size=23, data_page_version="2.0", use_dictionary=False)
latin1 = pa.Array.from_buffers(pa.string(), 2, [None, pa.array([0, 2, 5], pa.int32()).buffers()[1], pa.py_buffer(b"ok\xe9 b")])
pq.write_table(pa.table({"text": latin1}), here / "latin1.parquet", compression="none")
pq.write_table(pa.table({"text": pa.array([], pa.string())}), here / "no-rows.parquet")
