import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigurationError } from '../../src/base/errors.ts';
import { permute, philox, Random, seedWords, streams } from '../../src/base/random.ts';

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');
const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const words32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** The same function with BigInt products, written from the paper. */
function philoxByBigInt(counter: readonly number[], key: readonly number[]): number[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  for (let round = 0; round < 10; round++) {
    const product0 = c0 * 0xd2511f53n;
    const product1 = c2 * 0xcd9e8d57n;
    [c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1 & mask, (product0 >> 32n) ^ c3 ^ k1, product0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

describe('philox', () => {
  // kat_vectors of Random123
  test.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ] as const)('known answer of Random123 at %j', (counter, key, expected) => {
    expect(hex(philox(counter, key))).toBe(expected);
  });

  test('equals the definition by 64-bit products', () => {
    fc.assert(
      fc.property(fc.tuple(words32, words32, words32, words32), fc.tuple(words32, words32), (counter, key) => {
        expect(philox(counter, key)).toEqual(philoxByBigInt(counter, key));
      }),
    );
  });
});

describe('Random', () => {
  test('draws the words of its documented counter', () => {
    const seed = 2 ** 40 + 12345;
    const random = new Random(seed, 77);
    const drawn = Array.from({ length: 10 }, () => random.uint32());
    const blocks = [0, 1, 2].flatMap((block) => philox([block, 0, 77, 1], seedWords(seed)));
    expect(drawn).toEqual(blocks.slice(0, 10));
  });

  test('a saved state continues the same sequence, wherever it was saved', () => {
    fc.assert(
      fc.property(
        seeds,
        words32,
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 13 }),
        (seed, stream, calls) => {
          const random = new Random(seed, stream);
          for (const call of calls)
            [() => random.uint32(), () => random.uniform(), () => random.normal(), () => random.integer(7)][call]();
          const copy = Random.from(JSON.parse(JSON.stringify(random.state)));
          const next = (r: Random) => [r.uint32(), r.normal(), r.uniform(), r.normal(), r.normal(), r.integer(1000)];
          expect(next(copy)).toEqual(next(random));
        },
      ),
    );
  });

  test('carries into the high word of the counter', () => {
    const position = 4 * (2 ** 32 + 5);
    const random = Random.from({ seed: 9, stream: 3, position, spareNormal: null });
    expect(random.uint32()).toBe(philox([5, 1, 3, 1], [9, 0])[0]);
  });

  test('a fork depends on seed, stream and its number, not on what was drawn', () => {
    const parent = new Random(11, streams.projections);
    const before = parent.fork(4).uniform();
    parent.normal();
    expect(parent.fork(4).uniform()).toBe(before);
    const others = [
      parent.fork(5),
      parent.fork(4 + 2 ** 32),
      new Random(11, streams.dataOrder).fork(4),
      new Random(12, streams.projections).fork(4),
      parent.fork(4).fork(4),
      parent,
    ].map((random) => random.uniform());
    expect(new Set([before, ...others]).size).toBe(7);
  });

  test('normals have the moments and the tails of the normal distribution', () => {
    const random = new Random(1, 2);
    const count = 400_000;
    const sums = [0, 0, 0, 0];
    let beyondTwo = 0;
    let lagged = 0;
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const x = random.normal();
      for (let power = 0; power < 4; power++) sums[power] += x ** (power + 1);
      if (Math.abs(x) > 2) beyondTwo++;
      lagged += x * previous;
      previous = x;
    }
    // Five standard errors of each mean: Var x = 1, Var x² = 2, Var x³ = 15, Var x⁴ = 96.
    const bound = (variance: number) => 5 * Math.sqrt(variance / count);
    expect(Math.abs(sums[0] / count)).toBeLessThan(bound(1));
    expect(Math.abs(sums[1] / count - 1)).toBeLessThan(bound(2));
    expect(Math.abs(sums[2] / count)).toBeLessThan(bound(15));
    expect(Math.abs(sums[3] / count - 3)).toBeLessThan(bound(96));
    expect(Math.abs(lagged / count)).toBeLessThan(bound(1));
    const tail = 0.04550026389635842;
    expect(Math.abs(beyondTwo / count - tail)).toBeLessThan(bound(tail * (1 - tail)));
  });

  test('uniform numbers are multiples of 2^-53 in [0, 1) that use the lowest bits', () => {
    const random = new Random(5);
    const draws = Array.from({ length: 1000 }, () => random.uniform() * 2 ** 53);
    expect(draws.every((draw) => Number.isInteger(draw) && draw >= 0 && draw < 2 ** 53)).toBe(true);
    const odd = draws.filter((draw) => draw % 2 === 1).length;
    expect(odd).toBeGreaterThan(400);
    expect(odd).toBeLessThan(600);
  });

  test('integers are uniform without bias, also where the range does not divide 2^32', () => {
    const random = new Random(6);
    // With below = 3·2^30, a plain remainder would give the lowest third half of all draws.
    const below = 3 * 2 ** 30;
    const count = 30_000;
    let low = 0;
    for (let i = 0; i < count; i++) if (random.integer(below) < 2 ** 30) low++;
    expect(Math.abs(low / count - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / count));
    const large = Array.from({ length: 100 }, () => random.integer(2 ** 53));
    expect(large.every((value) => Number.isSafeInteger(value))).toBe(true);
    expect(Math.max(...large)).toBeGreaterThan(2 ** 52);
    expect(random.integer(1)).toBe(0);
  });

  test('refuses seeds, streams and ranges it cannot hold', () => {
    expect(() => new Random(2 ** 53)).toThrow(/seed is .* below 2\^53/);
    expect(() => new Random(-1)).toThrow(ConfigurationError);
    expect(() => new Random(1.5)).toThrow(ConfigurationError);
    expect(() => new Random(1, 2 ** 32)).toThrow(/stream is/);
    expect(() => new Random(1).integer(0)).toThrow(/below is 0/);
  });
});

describe('permute', () => {
  test('is a bijection of [0, count)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), seeds, words32, (count, seed, stream) => {
        const images = Array.from({ length: count }, (_, index) => permute(index, count, seed, stream));
        expect([...images].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
    );
  });

  test('every order of four comes equally often', () => {
    const counts = new Map<string, number>();
    const draws = 12_000;
    for (let seed = 0; seed < draws; seed++) {
      const order = [0, 1, 2, 3].map((index) => permute(index, 4, seed)).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const expected = draws / counts.size;
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(counts.size + 6 * Math.sqrt(2 * counts.size));
  });

  test('each place of a range is taken equally often', () => {
    const count = 7;
    const draws = 7000;
    const taken = new Array<number>(count).fill(0);
    for (let seed = 0; seed < draws; seed++) taken[permute(3, count, seed)]++;
    const chiSquare = taken.reduce((sum, n) => sum + (n - draws / count) ** 2 / (draws / count), 0);
    expect(chiSquare).toBeLessThan(6 + 6 * Math.sqrt(12));
  });

  test('large ranges, other streams and bad arguments', () => {
    const count = 2 ** 52 - 3;
    const images = Array.from({ length: 50 }, (_, index) => permute(index, count, 1));
    expect(new Set(images).size).toBe(50);
    expect(images.every((image) => Number.isSafeInteger(image) && image < count)).toBe(true);
    expect(Math.max(...images)).toBeGreaterThan(count / 2);
    expect(permute(12, 1000, 1, 1)).not.toBe(permute(12, 1000, 1, 2));
    expect(() => permute(5, 5, 0)).toThrow(/index is 5/);
    expect(() => permute(0, 0, 0)).toThrow(/count is 0/);
  });
});
