import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/tokenizers/load-own-tokenizer.ts';
import type { Tokenizer } from '../../src/tokenizers/tokenizer.ts';
import { mixedLines } from '../data/text-mixture.ts';

/** JavaScript takes U+FEFF for white space and U+0085 not; we do as the Rust library does. */
const spacesAlike = (text: string) => text.replace(/[\ufeff\u0085]/g, ' ');

/**
 * What holds for every tokenizer.
 *
 * @param expectedDecoding what `decode(encode(text))` is; default: the text
 * @param lines 3000 lines to compare ids on
 */
export function describeTokenizer(
  name: string,
  tokenizer: Tokenizer,
  expectedDecoding: (text: string) => string = (text) => text,
  lines: readonly string[] = [...mixedLines(3000, 2)].map(spacesAlike),
): void {
  describe(name, () => {
    const json: unknown = JSON.parse(JSON.stringify(tokenizer.toJSON()));
    const reloaded = loadTokenizer(json);
    const reference = new HuggingFaceTokenizer(json as object, {});

    test('gives the ids and texts of @huggingface/tokenizers on 3000 lines', () => {
      expect(lines).toHaveLength(3000);
      const decode = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
      for (const line of lines) {
        const ids = [...tokenizer.encode(line)];
        expect(ids.join(), JSON.stringify(line)).toBe(reference.encode(line).ids.join());
        expect(tokenizer.decode(ids)).toBe(expectedDecoding(line));
        if (ids.length > 0) expect(reference.decode(ids, decode)).toBe(expectedDecoding(line));
      }
    });

    test('gives the ids of @huggingface/tokenizers on one long text', () => {
      const text = spacesAlike([...mixedLines(6000, 3)].join('\n')) + 'x'.repeat(3000) + '東京'.repeat(1000);
      expect(text.length).toBeGreaterThan(2 * 65536);
      const { ids } = reference.encode(text);
      const own = tokenizer.encode(text);
      const differs = ids.findIndex((id, i) => own[i] !== id);
      expect([differs, own.length]).toEqual([-1, ids.length]);
    });

    test('is the same after tokenizer.json', () => {
      expect(reloaded.toJSON()).toEqual(tokenizer.toJSON());
      expect(reloaded.constructor).toBe(tokenizer.constructor);
      expect(reloaded.vocabSize).toBe(tokenizer.vocabSize);
      expect([...reloaded.specials]).toEqual([...tokenizer.specials]);
      expect(reloaded.specialTokens).toEqual(tokenizer.specialTokens);
      expect(reloaded.endOfText).toBe(tokenizer.endOfText);
      const text = [...mixedLines(100, 5)].join(' ');
      expect(reloaded.encode(text)).toEqual(tokenizer.encode(text));
    });

    test('decodes every well-formed string as it should', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
          return tokenizer.decode(tokenizer.encode(text)) === expectedDecoding(text);
        }),
        { numRuns: 500 },
      );
      const texts = ['', '\0', '\r\n\r\n', '\ufeffx', '👩‍👩‍👧', ' \t\u3000 ', '<|endoftext|><|endoftext|>', '<|endof'];
      for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text))).toBe(expectedDecoding(text));
    });

    test('reads a lone surrogate as U+FFFD', () => {
      expect(tokenizer.decode(tokenizer.encode('a\ud800b\udc00'))).toBe(expectedDecoding('a\ufffdb\ufffd'));
      expect(tokenizer.encode('a\ud800b')).toEqual(tokenizer.encode('a\ufffdb'));
    });

    test('streams only whole characters', () => {
      const text = expectedDecoding([...mixedLines(200, 4)].join('\n'));
      const stream = tokenizer.decodeStream();
      let streamed = '';
      for (const id of tokenizer.encode(text)) {
        const piece = stream.push(id);
        if (/\p{Surrogate}/u.test(piece) || !text.startsWith(piece, streamed.length))
          expect.fail(`${streamed}|${piece}`);
        streamed += piece;
      }
      expect(streamed + stream.end()).toBe(text);
    });

    test('bytesOf gives what decode joins', () => {
      const text = 'naïve 東京 😀';
      const bytes = [...tokenizer.encode(text)].flatMap((id) => [...tokenizer.bytesOf(id)]);
      expect(bytes).toEqual([...new TextEncoder().encode(expectedDecoding(text))]);
    });

    test.each([-1, 1.5, 1_000_000, Number.NaN])('refuses id %s', (id) => {
      expect(() => tokenizer.decode([id])).toThrow(
        `Token id ${id} is outside the vocabulary of ${tokenizer.vocabSize}`,
      );
    });
  });
}
