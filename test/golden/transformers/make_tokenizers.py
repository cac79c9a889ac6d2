"""Trains the four tokenizers on lines.txt and packs the ids that they give for each line, special tokens included."""

import gzip
import json
import struct
from collections import Counter
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizer, EsmTokenizer

here = Path(__file__).parent
lines = (here / "lines.txt").read_bytes().decode("utf-8").split("\n")

ESM_TOKENS = "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>".split()


def bert(vocab_size):
    """WordPiece over a vocabulary made here: the trainer numbers its pieces by chance."""
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = Counter(word for line in lines for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(line)))
    characters, pieces = Counter(), Counter()
    for word, count in words.items():
        characters.update({character: word.count(character) * count for character in word})
        for start in range(len(word)):
            for end in range(start + 2, min(start + 6, len(word)) + 1):
                pieces["##" * (start > 0) + word[start:end]] += count * (end - start - 1)
    common = lambda counts, size: sorted(sorted(counts, key=lambda key: (-counts[key], key))[:size])
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    alphabet = common(characters, 70)
    tokens = specials + alphabet + [f"##{character}" for character in alphabet]
    tokens += common(pieces, vocab_size - len(tokens))
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.add_special_tokens(specials)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    assert tokenizer.get_vocab_size() == vocab_size
    return tokenizer


def byte_level(vocab_size, specials):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def roberta(vocab_size):
    mask = AddedToken("<mask>", lstrip=True, special=True, normalized=False)
    tokenizer = byte_level(vocab_size, ["<s>", "<pad>", "</s>", "<unk>", mask])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def gpt2(vocab_size):
    tokenizer = byte_level(vocab_size, ["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def pack(name, all_ids):
    """For each line the number of its ids, then the ids: uint16, little-endian."""
    numbers = [n for ids in all_ids for n in [len(ids), *ids]]
    (here / name / "ids.bin.gz").write_bytes(gzip.compress(struct.pack(f"<{len(numbers)}H", *numbers), 9, mtime=0))


def write_fast(name, tokenizer, config):
    folder = here / name
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    pack(name, [encoding.ids for encoding in tokenizer.encode_batch(lines)])


def write_esm():
    """ESM-2 on the hub has vocab.txt alone; its tokenizer is Python, and splits text at every token of the vocabulary."""
    folder = here / "esm"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(ESM_TOKENS))
    config = {"tokenizer_class": "EsmTokenizer", "model_max_length": 1000000000000000019884624838656}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer = EsmTokenizer(str(folder / "vocab.txt"))
    pack("esm", [tokenizer(line)["input_ids"] for line in lines])


def make_tokenizers(sizes):
    bert_config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 31, "mask_token": "[MASK]", "pad_token": "[PAD]"}
    write_fast("bert", bert(sizes["bert"]), bert_config)
    write_fast("roberta", roberta(sizes["roberta"]), {"tokenizer_class": "RobertaTokenizer", "model_max_length": 29})
    write_fast("gpt2", gpt2(sizes["gpt2"]), {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 37})
    write_esm()
