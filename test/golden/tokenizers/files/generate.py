"""Writes cases.json beside it: tokenizers without tokenizer.json, and the ids that the library transformers gives.

`pip install tokenizers==0.23.3 transformers==5.24.0 && python generate.py`. A case has its files by name, and for each text the
ids with and without the special tokens around it.
"""

import json
import tempfile
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer, logging

logging.set_verbosity_error()
here = Path(__file__).parent

TEXTS = [
    "Naïve CAFÉ <new> <|im_start|>hi<|pad|>",
    "東京x Hello, low lower",
    " hello [MASK] world <mask> word<w>word <w> ",
    "<s>a</s> e\u0301 [unused1]<|endoftext|>",
]
CHARACTERS = sorted(set("".join(TEXTS) + "naïve café hello") - {" "})
WORD_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", "low", "##er", "hello", "<sep>", *CHARACTERS, *(f"##{c}" for c in CHARACTERS)]
MERGES = ["l o", "lo w", "e r", "Ġ lo", "h e"]
BYTES = sorted(ByteLevel.alphabet())
ENDED = ["<|endoftext|>", *BYTES, *(merge.replace(" ", "") for merge in MERGES)]
FRAMED = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *ENDED[1:]]


def added(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False} | flags


def word_pieces(config=None, newline="\n", **others):
    files = {"vocab.txt": newline.join(WORD_PIECES) + newline, **others}
    return "bert", files if config is None else files | {"tokenizer_config.json": json.dumps(config)}


def byte_level(family, vocab, config=None, newline="\n", **others):
    files = {"vocab.json": json.dumps({token: i for i, token in enumerate(vocab)}), **others}
    files["merges.txt"] = newline.join(["#version: 0.2", *MERGES]) + newline
    return family, files if config is None else files | {"tokenizer_config.json": json.dumps(config)}


size, number = len(ENDED), len(WORD_PIECES)
decoder = {
    str(size): added("<|pad|>", special=True),
    str(size + 1): added("<new>"),
    str(size + 2): added("<|im_start|>", special=True),
    str(size + 3): added("<w>", single_word=True),
}
cases = {
    "BERT": word_pieces(),
    "BERT with CRLF": word_pieces(newline="\r\n"),
    "BERT no accents": word_pieces({"strip_accents": False}),
    "BERT cased": word_pieces({"do_lower_case": False}),
    "BERT cased without accents": word_pieces({"do_lower_case": False, "strip_accents": True}),
    "BERT no Chinese": word_pieces({"tokenize_chinese_chars": False, "model_max_length": 9, "never_split": None}),
    "BERT other separator": word_pieces({"sep_token": "<sep>"}),
    "BERT added": word_pieces({"added_tokens_decoder": {"5": added("[unused1]", special=True), str(number): added("<new>", normalized=True)}}),
    "BERT additional": word_pieces({"additional_special_tokens": ["<new>", "<w>"]}),
    "GPT-2": byte_level("gpt2", ENDED),
    "GPT-2 with CRLF": byte_level("gpt2", ENDED, newline="\r\n"),
    "GPT-2 added": byte_level("gpt2", ENDED, {"tokenizer_class": "GPT2Tokenizer", "pad_token": "<|pad|>", "added_tokens_decoder": decoder}),
    "GPT-2 prefix": byte_level("gpt2", ENDED, {"add_prefix_space": True}),
    "GPT-2 padding": byte_level("gpt2", ENDED, {"pad_token": "<|pad|>"}),
    "GPT-2 old files": byte_level("gpt2", ENDED, **{"added_tokens.json": json.dumps({"<new>": size + 1, "<|pad|>": size}), "special_tokens_map.json": json.dumps({"pad_token": "<|pad|>"})}),
    "GPT-2 begins": byte_level("gpt2", ENDED, {"add_bos_token": True}),
    "GPT-2 begins and ends": byte_level("gpt2", ENDED, {"add_bos_token": True, "add_eos_token": True}),
    "GPT-2 with words": ("gpt2", word_pieces({"tokenizer_class": "BertTokenizer"})[1]),
    "RoBERTa": byte_level("roberta", FRAMED, {"mask_token": {"__type": "AddedToken"} | added("<mask>", lstrip=True, special=True)}),
    "RoBERTa prefix": byte_level("roberta", FRAMED, {"add_prefix_space": True, "mask_token": {"__type": "AddedToken"} | added("<mask>", lstrip=True, special=True)}),
}


def case(name, family, files):
    with tempfile.TemporaryDirectory() as folder:
        for file, contents in {**files, "config.json": json.dumps({"model_type": family})}.items():
            (Path(folder) / file).write_bytes(contents.encode())
        tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    return {"name": name, "family": family, "files": files, "ids": plain, "framed": [tokenizer(text)["input_ids"] for text in TEXTS]}


lines = ",\n".join(json.dumps(case(name, *given), separators=(",", ":")) for name, given in cases.items())
(here / "cases.json").write_text(f'{{"texts":{json.dumps(TEXTS)},"cases":[\n{lines}\n]}}\n')
