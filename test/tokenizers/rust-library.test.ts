import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadAnyTokenizer } from '../../src/tokenizers/load-any-tokenizer.ts';

interface Case {
  readonly name: string;
  readonly tokenizer: unknown;
  readonly ids: readonly number[][];
  readonly framed?: readonly number[][];
  readonly decoded: readonly string[];
}

const golden = new URL('../golden/tokenizers/rust/cases.json.gz', import.meta.url);
const { texts, cases } = JSON.parse(gunzipSync(readFileSync(golden)).toString()) as { texts: string[]; cases: Case[] };

test.each(cases)(
  '$name: ids and texts of the Rust library',
  async ({ tokenizer: json, ids, framed = ids, decoded }) => {
    const tokenizer = await loadAnyTokenizer(json);
    texts.forEach((text, i) => {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids[i]);
      expect([...tokenizer.encode(text, { framed: true })], JSON.stringify(text)).toEqual(framed[i]);
      expect(tokenizer.decode(ids[i]!), JSON.stringify(text)).toBe(decoded[i]);
    });
  },
);
