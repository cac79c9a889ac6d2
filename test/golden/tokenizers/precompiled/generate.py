"""Writes cases.json.gz: what the Rust library tokenizers makes of SentencePiece's table nmt_nfkc, that of XLM-R.

Run: pip install tokenizers sentencepiece protobuf && python test/golden/tokenizers/precompiled/generate.py
"""

import gzip
import hashlib
import json
import os
import random
import tempfile

os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

here = os.path.dirname(os.path.abspath(__file__))
corpus = os.path.join(here, "../corpus.txt")
lines = [line for line in open(corpus, encoding="utf8").read().split("\n") if line]

prefix = os.path.join(tempfile.mkdtemp(), "model")
sentencepiece.SentencePieceTrainer.train(
    input=corpus, model_prefix=prefix, vocab_size=400, hard_vocab_limit=False, normalization_rule_name="nmt_nfkc", minloglevel=2
)
model = sentencepiece_model_pb2.ModelProto()
model.ParseFromString(open(prefix + ".model", "rb").read())
normalizer = normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)

# Ids in the order of XLM-R: <s>, <pad>, </s>, <unk>, then the pieces.
pieces = [(piece.piece, piece.score) for piece in model.pieces if piece.type == 1]
vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces, ("<mask>", 0.0)]
tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
tokenizer.normalizer = normalizer
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])

ranges = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x1100, 0x1200), (0xAC00, 0xAC40), (0x900, 0x980), (0x3040, 0x3100)]
ranges += [(0xFF00, 0xFFF0), (0x2000, 0x2070), (0x1F1E6, 0x1F200), (0x1F600, 0x1F640), (0xE00, 0xE5B), (0x600, 0x650)]
ranges += [(0x2460, 0x2500), (0xFB00, 0xFB07), (0x1F3FB, 0x1F400)]
characters = [chr(code) for first, end in ranges for code in range(first, end)] + list("\u200d\ufe0f\r\n\t") * 20

random.seed(5)
drawn = ["".join(random.choices(characters, k=random.randint(2, 8))) for _ in range(3000)]
words = [word for line in lines for word in line.split()]
mixed = [
    "".join(random.choice([" ", "  ", "\u3000"]) + random.choice([random.choice(words), random.choice(drawn)]) for _ in range(9))
    for _ in range(500)
]
codes = [code for code in range(1, 0x20000, 3) if not 0xD800 <= code < 0xE000]
singles = "\n".join(normalizer.normalize_str(chr(code)) for code in codes)
cases = {
    "tokenizer": json.loads(tokenizer.to_str()),
    "singles": hashlib.sha256(singles.encode()).hexdigest(),
    "normalized": [[text, normalizer.normalize_str(text)] for text in drawn],
    "ids": [[text, tokenizer.encode(text).ids] for text in [*lines[:200], *mixed]],
}
with open(os.path.join(here, "cases.json.gz"), "wb") as file:
    file.write(gzip.compress(json.dumps(cases, ensure_ascii=False, separators=(",", ":")).encode(), mtime=0))
