"""Proves that transformers loads what this package exports, unchanged: `node export.mjs OUT && python verify.py OUT`.

For every folder of OUT: no tensor is missing or left over (but for the pooler beside BERT's language head), the logits in
float64 are the golden ones, and AutoTokenizer gives the golden ids of all lines.
"""

import gzip
import struct
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, logging

here = Path(__file__).parent
logging.set_verbosity_error()
lines = (here / "lines.txt").read_bytes().decode("utf-8").split("\n")


def unpack(name):
    data = gzip.decompress((here / name / "ids.bin.gz").read_bytes())
    numbers, ids = iter(struct.unpack(f"<{len(data) // 2}H", data)), []
    for count in numbers:
        ids.append([next(numbers) for _ in range(count)])
    return ids


def check(folder):
    name = folder.name
    config = AutoConfig.from_pretrained(folder)
    model, info = getattr(transformers, config.architectures[0]).from_pretrained(folder, output_loading_info=True)
    left = {key for key in info["unexpected_keys"] if not key.startswith("bert.pooler.")}
    missing = {key for key in info["missing_keys"] if "contact_head" not in key and "inv_freq" not in key}
    assert not left and not missing and not info["mismatched_keys"], info
    base = name if (here / name / "expected.safetensors").exists() else name.split("-")[0]
    inputs = load_file(here / name.removesuffix("-f16").removesuffix("-bf16").removesuffix("-sharded") / "expected.safetensors")
    expected = load_file(here / base / "expected.safetensors")["logits"]
    given = {k: v.long() if v.dtype == torch.int32 else v.double() for k, v in inputs.items() if k not in ("states", "logits")}
    with torch.no_grad():
        logits = model.eval().double()(**given).logits
    valid = given["attention_mask"].bool() if logits.dim() == 3 else slice(None)
    error = (logits[valid].float() - expected[valid]).abs().max().item()
    assert error < 1e-6, error
    print(f"{name}: {type(model).__name__}, largest difference of logits {error:.1e}", end="")
    if (here / name / "ids.bin.gz").exists():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        wrong = [(line, want, tokenizer(line)["input_ids"]) for line, want in zip(lines, unpack(name)) if tokenizer(line)["input_ids"] != want]
        print(f"; {type(tokenizer).__name__}, {len(wrong)} of {len(lines)} lines differ", end="")
        for line in wrong[:3]:
            print("\n", *map(repr, line), end="")
    print()


for folder in sorted(Path(sys.argv[1]).iterdir()):
    check(folder)
