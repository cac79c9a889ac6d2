/** SentencePiece's table nmt_nfkc and a tokenizer in the form of XLM-R's, as the Rust library has them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadAnyTokenizer } from '../../src/tokenizers/load-any-tokenizer.ts';
import { precompiledNormalizer } from '../../src/tokenizers/pipeline/precompiled-normalizer.ts';

interface Cases {
  readonly tokenizer: { readonly normalizer: { readonly precompiled_charsmap: string } };
  /** SHA-256 of every third character below U+20000, normalized, on lines. */
  readonly singles: string;
  readonly normalized: readonly (readonly [text: string, normalized: string])[];
  readonly ids: readonly (readonly [text: string, ids: readonly number[]])[];
}

const golden = new URL('../golden/tokenizers/precompiled/cases.json.gz', import.meta.url);
const cases = JSON.parse(gunzipSync(readFileSync(golden)).toString()) as Cases;
const normalize = precompiledNormalizer(cases.tokenizer.normalizer.precompiled_charsmap, 'here');

test('every third character, and the strings of many scripts', () => {
  const codes = Array.from({ length: Math.ceil((0x20000 - 1) / 3) }, (_, i) => 1 + 3 * i);
  const characters = codes.filter((code) => code < 0xd800 || code >= 0xe000).map((code) => String.fromCodePoint(code));
  const singles = characters.map(normalize).join('\n');
  expect(createHash('sha256').update(singles).digest('hex')).toBe(cases.singles);
  for (const [text, normalized] of cases.normalized) expect(normalize(text), JSON.stringify(text)).toBe(normalized);
});

test('ids of a unigram tokenizer in the form of XLM-R', async () => {
  const tokenizer = await loadAnyTokenizer(cases.tokenizer);
  for (const [text, ids] of cases.ids) {
    expect([...tokenizer.encode(text, { framed: true })], JSON.stringify(text)).toEqual(ids);
  }
});
