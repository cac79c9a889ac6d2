"""Writes cases.json.gz beside it: tokenizers of many forms with the ids and texts that the Rust library gives.

`pip install tokenizers==0.23.3 && python generate.py`. A case has a tokenizer.json, the ids of each text with and without the
special tokens around it, and the text that those without decode to.
"""

import gzip
import json
from pathlib import Path

from tokenizers import Tokenizer

here = Path(__file__).parent

TEXTS = [
    "",
    " ",
    "Hello, world! It's 3.14 o'clock; don't do not.",
    "naïve café Ünïcode ÀÉÎ cafe\u0301 A\u030a",
    "  two  spaces\tand\r\n\nlines \u00a0nbsp\u2003em\u0085nel\ufeffbom\u200bzw\u200djoin ",
    "東京都へ行く。漢字カタカナひらがな、한국어 텍스트! 中文，标点",
    "Σίσυφος ΟΔΥΣΣΕΥΣ İstanbul ßẞ ǅ ﬁﬂ ① ½ ²³ Ⅷ ٣٤ १२ x₂",
    "<x>a<x> <x>  b  <sp ace> word<w>word <w> (<w>) <W> <N>É<n>É<e\u0301>",
    "👩‍👩‍👧 🇩🇪 a😀b \U00020000\U0002b820\U0002b920 \ue000\U000e0001",
    "foo_bar-baz [MASK] ▁low▁er __ ﹏ «quoted» “curly” ‚low‘ … – — ¿qué? $5+€6=£7 <|~|>",
    "aaaa abab abcabc ab\u0000c\u0001\u007f\u008f\u009f\u00ad\ufffd",
    "cl/ass\\n1234567890 12 345 6,789.0 a1b22c333",
    "हिन्दी ไทย العربية עברית ka\u0301\u0323",
    "low lower lowest newer wider unaffable",
]
WORDS = "low lower lowest newer wider"


def token(id, content, **flags):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} | flags
    return {"id": id, "content": content} | flags


def file(model, **parts):
    empty = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}
    return empty | {"pre_tokenizer": None, "post_processor": None, "decoder": None} | parts | {"model": model}


def word_level(**parts):
    """A model that knows every piece but each seventh, so that ids show where texts are cut."""
    probe = Tokenizer.from_str(json.dumps(file({"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}, **parts)))
    pieces = set()
    for text in TEXTS:
        normalized = probe.normalizer.normalize_str(text) if probe.normalizer else text
        if probe.pre_tokenizer:
            pieces.update(piece for piece, _ in probe.pre_tokenizer.pre_tokenize_str(normalized))
        else:
            pieces.add(normalized)
    pieces = [piece for i, piece in enumerate(sorted(pieces - {"", "[UNK]"})) if i % 7 != 6]
    vocab = {"[UNK]": 0} | {piece: i + 1 for i, piece in enumerate(pieces)}
    return file({"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}, **parts)


CHARACTERS = sorted(set("".join(TEXTS[2:5]) + "abcdefghijklmnopqrstuvwxyz_ ▁"))


def bpe(tokens=(), merges=(), characters=CHARACTERS, unk="[UNK]", parts=(), **options):
    vocab = {name: i for i, name in enumerate(dict.fromkeys(["[UNK]", *characters, *tokens]))}
    return file({"type": "BPE", "unk_token": unk, "vocab": vocab, "merges": list(merges)} | options, **dict(parts))


MERGES = ["l o", "lo w", "e r", "low er", "n e", "w er", "a b", "ab ab", "ab c", "e s", "es t"]
MERGED = [merge.replace(" ", "") for merge in MERGES]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPLIT = {"type": "WhitespaceSplit"}
META = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(*pretokenizers):
    return {"type": "Sequence", "pretokenizers": list(pretokenizers)}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def pre_tokenizer_cases():
    behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    parts = {
        "Whitespace": {"type": "Whitespace"},
        "WhitespaceSplit": SPLIT,
        "BertPreTokenizer": {"type": "BertPreTokenizer"},
        "Digits": {"type": "Digits", "individual_digits": False},
        "Digits individual": {"type": "Digits", "individual_digits": True},
        "CharDelimiterSplit": {"type": "CharDelimiterSplit", "delimiter": "-"},
        "FixedLength": {"type": "FixedLength", "length": 3},
        "ByteLevel": byte_level(),
        "ByteLevel prefix": byte_level(prefix=True),
        "ByteLevel whole": sequence(SPLIT, byte_level(prefix=True, regex=False)),
        "Metaspace always": META,
        "Metaspace first": META | {"prepend_scheme": "first"},
        "Metaspace never": META | {"prepend_scheme": "never"},
        "Metaspace whole": META | {"split": False},
        "Metaspace legacy": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "str_rep": "▁"},
        "Metaspace after spaces": sequence(SPLIT, META | {"prepend_scheme": "first"}),
        "Split cl100k": split({"Regex": CL100K}),
        "Split llama3": sequence(split({"Regex": LLAMA3}), byte_level(regex=False)),
        "Split gpt2": split({"Regex": GPT2}),
        "Split word": split({"Regex": r"\w+|[^\w\s]+"}, "Removed", True),
        "Split empty": split({"Regex": r"a*"}),
        "Split class": split({"Regex": r"[^\S\n]+|\d\D|\bab"}, "MergedWithNext"),
        "Sequence": sequence(SPLIT, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": True}),
    }
    for behavior in behaviors:
        parts[f"Split space {behavior}"] = split({"String": " "}, behavior)
        parts[f"Split inverted {behavior}"] = split({"Regex": r"\p{L}+"}, behavior, True)
        parts[f"Punctuation {behavior}"] = {"type": "Punctuation", "behavior": behavior}
    return {f"pre_tokenizer {name}": word_level(pre_tokenizer=part) for name, part in parts.items()}


def normalizer_cases():
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    parts = {
        "Bert": bert,
        "Bert cased": bert | {"lowercase": False},
        "Bert no strip": bert | {"strip_accents": False},
        "Bert strip cased": bert | {"strip_accents": True, "lowercase": False},
        "Bert plain": bert | {"clean_text": False, "handle_chinese_chars": False},
        "NFC": {"type": "NFC"},
        "NFD": {"type": "NFD"},
        "NFKC": {"type": "NFKC"},
        "NFKD": {"type": "NFKD"},
        "Lowercase": {"type": "Lowercase"},
        "Strip": {"type": "Strip", "strip_left": True, "strip_right": True},
        "Strip left": {"type": "Strip", "strip_left": True, "strip_right": False},
        "StripAccents": {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}]},
        "Nmt": {"type": "Nmt"},
        "Prepend": {"type": "Prepend", "prepend": "▁"},
        "Replace": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "Replace expression": {"type": "Replace", "pattern": {"Regex": r"\s{2,}"}, "content": "$&"},
        "Llama": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "ByteLevel": {"type": "ByteLevel"},
    }
    cut = split({"Regex": r"[\s▁]"})
    return {f"normalizer {name}": word_level(normalizer=part, pre_tokenizer=cut) for name, part in parts.items()}


def model_cases():
    merged = {"tokens": MERGED, "merges": MERGES}
    suffixed = [character + "</w>" for character in CHARACTERS]
    unigram = [["<unk>", 0.0], ["▁", -2.0], ["▁low", -3.0], ["low", -3.5], ["er", -2.5], ["lowe", -4.0], ["w", -5.0], ["▁un", -4.0]]
    unigram += [[character, -6.0 - i / 64] for i, character in enumerate("abcdefghijklmnopqrstuvxyz东東é")] + [["😀", -9.0], ["aa", -7.0]]
    pieces = ["[UNK]", "un", "##aff", "##able", "low", "##er", "##est", "ne", "##w", "a", "##a", "##b", "do", "n", "##o", "##t", "é", "3"]
    word_piece = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    word_piece["vocab"] = {piece: i for i, piece in enumerate(pieces)}
    whole = {"parts": {"pre_tokenizer": SPLIT}}
    meta = {"pre_tokenizer": META, "decoder": META}
    return {
        "BPE": bpe(**merged, **whole),
        "BPE pairs": bpe(tokens=MERGED, merges=[merge.split(" ") for merge in MERGES], **whole),
        "BPE whole": bpe(**merged, parts={"decoder": {"type": "Fuse"}}),
        "BPE fused": bpe(**merged, fuse_unk=True, **whole),
        "BPE no unknown": bpe(**merged, unk=None, **whole),
        "BPE dropout 0": bpe(**merged, dropout=0.0, **whole),
        "BPE dropout 1": bpe(**merged, dropout=1.0, **whole),
        "BPE ignore merges": bpe(tokens=[*MERGED, "newer", "wider"], merges=MERGES, ignore_merges=True, **whole),
        "BPE bytes": bpe(tokens=[*BYTES, *MERGED], merges=MERGES, byte_fallback=True, fuse_unk=True, parts={"decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}}),
        "BPE some bytes": bpe(tokens=[*BYTES[:200], *MERGED], merges=MERGES, byte_fallback=True, **whole),
        "BPE suffix": bpe(tokens=[*suffixed, "lo", "low</w>", "er</w>"], merges=["l o", "lo w</w>", "e r</w>"], end_of_word_suffix="</w>", parts={"pre_tokenizer": SPLIT, "decoder": {"type": "BPEDecoder", "suffix": "</w>"}}),
        "BPE prefix": bpe(tokens=[*(f"##{character}" for character in CHARACTERS), "lo", "low", "##er"], merges=["l ##o", "lo ##w", "##e ##r"], continuing_subword_prefix="##", parts={"pre_tokenizer": SPLIT, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}),
        "WordPiece": file(word_piece, pre_tokenizer=SPLIT, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False}),
        "WordPiece short": file(word_piece | {"max_input_chars_per_word": 4}, pre_tokenizer=SPLIT, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}),
        "Unigram": file({"type": "Unigram", "unk_id": 0, "vocab": unigram}, **meta),
        "Unigram bytes": file({"type": "Unigram", "unk_id": 0, "vocab": unigram + [[byte, -20.0] for byte in BYTES], "byte_fallback": True}, pre_tokenizer=META | {"prepend_scheme": "first"}, decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]}),
        "Unigram whole": file({"type": "Unigram", "unk_id": 0, "vocab": unigram}),
        "without type": file({"vocab": {"[UNK]": 0, "low": 1, "lower": 2}, "unk_token": "[UNK]"}, pre_tokenizer=SPLIT),
    }


def added_cases():
    size = len(bpe(tokens=MERGED)["model"]["vocab"])
    tokens = lambda start, step=1: [
        token(start, "<x>"),
        token(start + step, "<sp ace>", special=False),
        token(start + 2 * step, "<w>", single_word=True),
        token(start + 3 * step, "<N>", normalized=True, lstrip=True, special=False),
        token(start + 4 * step, "<e\u0301>", normalized=True, rstrip=True),
        token(start + 5 * step, "[MASK]", lstrip=True),
        token(start + 6 * step, "<|~|>", rstrip=True, lstrip=True),
        token(start + 7 * step, "low", single_word=True, special=False),
        token(start + 8 * step, "lower", special=False),
        token(start + 9 * step, "漢字", single_word=True, special=False),
    ]
    model = bpe(tokens=MERGED, merges=MERGES)["model"]
    holed = model | {"vocab": {name: (id if id < 20 else id + 30) for name, id in model["vocab"].items()}}
    lower = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    return {
        "added": file(model, added_tokens=tokens(size), pre_tokenizer=SPLIT),
        "added normalized": file(model, added_tokens=tokens(size), normalizer=lower, pre_tokenizer=META | {"prepend_scheme": "first"}),
        "added with holes": file(model, added_tokens=tokens(size + 5, 3), pre_tokenizer=SPLIT),
        "vocabulary with holes": file(holed, added_tokens=[token(3, "<x>"), token(0, "[UNK]")], pre_tokenizer=SPLIT),
        "twice": file(model, added_tokens=[token(size, "<x>"), token(size + 1, "<x>", normalized=True)], pre_tokenizer=SPLIT),
    }


def post_processor_cases():
    model = bpe(tokens=[*MERGED, "[CLS]", "[SEP]"], merges=MERGES)["model"]
    ids = model["vocab"]
    cls, sep = ("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])
    special = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    template = {"type": "TemplateProcessing", "single": [special("[CLS]"), text, special("two")], "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}]}
    template["special_tokens"] = {
        "[CLS]": {"id": "[CLS]", "ids": [cls[1]], "tokens": ["[CLS]"]},
        "two": {"id": "two", "ids": [sep[1], cls[1]], "tokens": ["[SEP]", "[CLS]"]},
    }
    roberta = {"type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": True, "add_prefix_space": True}
    level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    parts = {
        "Bert": {"type": "BertProcessing", "sep": sep, "cls": cls},
        "Roberta": roberta,
        "Template": template,
        "Sequence": {"type": "Sequence", "processors": [level, template]},
    }
    return {f"post_processor {name}": file(model, pre_tokenizer=SPLIT, post_processor=part) for name, part in parts.items()}


def decoder_cases():
    parts = {
        "Strip": {"type": "Strip", "content": "▁", "start": 1, "stop": 0},
        "Replace": {"type": "Replace", "pattern": {"String": "l"}, "content": "L$1"},
        "CTC": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "▁", "cleanup": True},
        "ByteLevel": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "Metaspace never": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
        "Sequence": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    }
    model = bpe(tokens=MERGED, merges=MERGES)["model"]
    return {f"decoder {name}": file(model, pre_tokenizer=META, decoder=part) for name, part in parts.items()}


def case(name, json_file):
    tokenizer = Tokenizer.from_str(json.dumps(json_file))
    plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    framed = [tokenizer.encode(text).ids for text in TEXTS]
    decoded = [tokenizer.decode(ids, skip_special_tokens=False) for ids in plain]
    found = {"name": name, "tokenizer": json_file, "ids": plain, "decoded": decoded}
    return found if framed == plain else found | {"framed": framed}


cases = [pre_tokenizer_cases(), normalizer_cases(), model_cases(), added_cases(), post_processor_cases(), decoder_cases()]
written = [case(name, json_file) for group in cases for name, json_file in group.items()]
lines = ",\n".join(json.dumps(found, ensure_ascii=True, separators=(",", ":")) for found in written)
texts = json.dumps(TEXTS, separators=(",", ":"))
packed = gzip.compress(f'{{"texts":{texts},"cases":[\n{lines}\n]}}\n'.encode(), 9, mtime=0)
(here / "cases.json.gz").write_bytes(packed)
