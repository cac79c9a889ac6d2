#!/bin/sh
# Makes the files beside it, by zstd and pzstd 1.5, bzip2 and Python 3. All hold the same 2,000 records, which the tests make again.
# corrupt.jsonl.zst is no output of this script: one byte of a frame with a checksum was changed such that it still decompresses.
set -e
cd "$(dirname "$0")"
python3 - > records.jsonl <<'PYTHON'
for i in range(2000):
    print('{"text": "record %d %s"}' % (i, "x" * (i % 50)))
PYTHON
pzstd -q -f records.jsonl -o pzstd.jsonl.zst
zstd -q --no-check --long=31 -c < records.jsonl > window-2-gib.jsonl.zst
bzip2 -kc records.jsonl | head -c 2721 > cut.jsonl.bz2
zstd -q -f --train records.jsonl -B100 --maxdict=1024 --dictID=7 -o dictionary
head -c 3000 records.jsonl | zstd -q -c -D dictionary > dictionary.jsonl.zst
rm records.jsonl dictionary
