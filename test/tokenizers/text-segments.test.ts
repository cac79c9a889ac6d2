import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { PRE_TOKEN_PATTERN } from '../../src/tokenizers/byte-level/byte-level.ts';
import { segments, segmentsOf } from '../../src/tokenizers/text-segments.ts';

const ALPHABET = ['a', "'", 's', ' ', ' ', '\n', '\u3000', '\ufeff', '\u0085', '1', '.', '东', '😀'];

function randomText(length: number, seed: number): string {
  const random = new Random(seed);
  return Array.from({ length }, () => ALPHABET[random.integer(ALPHABET.length)]!).join('');
}

/** Chunks of random sizes, from nothing to a multiple of a segment. */
function* randomChunks(text: string, seed: number): Generator<string> {
  const random = new Random(seed);
  for (let start = 0; start < text.length; ) {
    const size = random.integer(2) === 0 ? random.integer(5) : random.integer(200_000);
    yield text.slice(start, start + size);
    start += size;
  }
}

async function collect(source: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const piece of source) all.push(piece);
  return all;
}

describe.each([1, 2, 3, 4, 5])('segments of random text %i', (seed) => {
  const text = randomText(600_000, seed);
  const preTokens = text.match(PRE_TOKEN_PATTERN)!;

  test('cut where no pre-token crosses', async () => {
    for (const pieces of [[...segmentsOf(text)], await collect(segments(randomChunks(text, seed)))]) {
      expect(pieces.length).toBeGreaterThan(3);
      expect(pieces.join('') === text).toBe(true);
      for (const [i, piece] of pieces.slice(1).entries())
        expect(pieces[i]!.at(-1) + piece[0]!).toMatch(/^\P{White_Space}\p{White_Space}$/u);
      const pieceTokens = pieces.flatMap((piece) => piece.match(PRE_TOKEN_PATTERN)!);
      expect(pieceTokens.length).toBe(preTokens.length);
      expect(pieceTokens.every((token, i) => token === preTokens[i])).toBe(true);
    }
  });
});

test('a stretch without white space is cut between characters, wherever the chunks end', async () => {
  const limit = 1 << 22;
  const text = `ab ${'😀'.repeat(limit)} end`;
  const lengths = (pieces: string[]) => pieces.map((piece) => piece.length);
  const whole = [...segmentsOf(text)];
  // " 😀…" starts at 2 and is cut after at most 2²² units, an odd number of which would split a character.
  expect(lengths(whole)).toEqual([2, limit - 1, limit, 2, 4]);
  const chunked = await collect(segments([text.slice(0, 99), text.slice(99, 5_000_000), text.slice(5_000_000)]));
  expect(chunked.join('') === text).toBe(true);
  const ends = (pieces: string[]) => pieces.map((_, i) => pieces.slice(0, i + 1).join('').length);
  expect(ends(chunked)).toEqual(expect.arrayContaining(ends(whole)));
});

test('nothing gives no segments', async () => {
  expect([...segmentsOf('')]).toEqual([]);
  expect(await collect(segments(['', '']))).toEqual([]);
});
