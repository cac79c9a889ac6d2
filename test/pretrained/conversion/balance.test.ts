import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import type { TransformerOptions } from '../../../src/model/configuration.ts';
import { Transformer } from '../../../src/model/transformer.ts';
import { balanceAttention } from '../../../src/pretrained/conversion/balance.ts';
import { balanceTransform } from '../../../src/pretrained/conversion/balance-transform.ts';
import { cholesky, symmetricEigen } from '../../../src/pretrained/conversion/eigenvalues.ts';
import { HeadMoments } from '../../../src/pretrained/conversion/head-moments.ts';
import { conversionReport } from '../../../src/pretrained/conversion/report.ts';
import type { MeasuredBatch } from '../../../src/pretrained/conversion/types.ts';
import { scope } from '../../../src/tensor/scope.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { backend, tinySizes } from '../../support/tiny-transformer.ts';

const sizes = { ...tinySizes, vocabSize: 23, dModel: 14, numLayers: 2, maxLength: 31 };
const tiny: TransformerOptions = { ...sizes, causal: false, attention: 'exact' };
const dHead = 7;

function model(options: Partial<TransformerOptions> = {}): Transformer {
  const made = new Transformer(backend, { ...tiny, ...options }, 0, { initialise: false });
  const random = new Random(5);
  for (const [name, { storage, size }] of made.parameters()) {
    const isNorm = /[nN]orm\.weight$/.test(name);
    // Queries and keys of unlike sizes, far from the origin.
    const scale = /query/.test(name) ? 0.15 : /key.bias/.test(name) ? 1.5 : 0.4;
    const numbers = Float64Array.from(
      { length: size },
      () => (isNorm ? 1 : 0) + (isNorm ? 0.1 : scale) * random.normal(),
    );
    backend.write(storage, numbers);
  }
  return made;
}

const draw = new Random(9);
const padded = Int32Array.from({ length: 29 }, (_, i) => (i < 20 ? 0 : -1));
const batches: MeasuredBatch[] = [
  {
    input: Int32Array.from({ length: 58 }, () => draw.integer(23)),
    shape: [2, 29],
    options: { segments: [new Int32Array(29), padded] },
  },
  { input: Int32Array.from({ length: 31 }, () => draw.integer(23)), shape: [1, 31] },
];

async function states(made: Transformer): Promise<number[]> {
  const all: number[] = [];
  for (const { input, shape, options } of batches) {
    const hidden = scope(() => made.forward(tensor(backend, input, shape), options));
    all.push(...(await hidden.data()));
  }
  return all;
}

/** Queries and keys of one head at all positions that are not padding. */
async function vectors(
  made: Transformer,
  layer: number,
  head: number,
): Promise<[queries: number[][], keys: number[][]]> {
  const found: [number[][], number[][]] = [[], []];
  for (const { input, shape, options } of batches) {
    const { queries, keys } = made.attentionInputs(tensor(backend, input, shape), options)[layer];
    for (const [i, part] of [queries, keys].entries()) {
      const data = await part.data();
      const [batch, heads, length] = part.shape;
      for (let b = 0; b < batch; b++) {
        for (let position = 0; position < length; position++) {
          if ((options?.segments?.[b][position] ?? 0) < 0) continue;
          const start = ((b * heads + head) * length + position) * dHead;
          found[i].push(Array.from(data.subarray(start, start + dHead)));
        }
      }
    }
  }
  return found;
}

const mean = (rows: readonly number[][]) =>
  rows[0].map((_, c) => rows.reduce((sum, row) => sum + row[c], 0) / rows.length);
function covariance(rows: readonly number[][]): number[][] {
  const centre = mean(rows);
  return centre.map((m, a) =>
    centre.map((o, b) => rows.reduce((sum, row) => sum + (row[a] - m) * (row[b] - o), 0) / rows.length),
  );
}
/** Mean of ‖q + k‖² over all pairs. */
function sumOfSquares([queries, keys]: readonly number[][][]): number {
  const square = (x: readonly number[]) => x.reduce((sum, value) => sum + value ** 2, 0);
  const own = [queries, keys].reduce((sum, rows) => sum + rows.reduce((s, row) => s + square(row), 0) / rows.length, 0);
  const [q, k] = [mean(queries), mean(keys)];
  return own + 2 * q.reduce((sum, value, c) => sum + value * k[c], 0);
}

describe('eigen', () => {
  it('takes symmetric matrices apart', () => {
    const n = 11;
    const random = new Random(3);
    const half = Float64Array.from({ length: n * n }, () => random.normal());
    const x = Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return Array.from({ length: n }, (_, k) => half[i * n + k] * half[j * n + k]).reduce(
        (a, b) => a + b,
        i === j ? 0.1 : 0,
      );
    });
    const { values, vectors } = symmetricEigen(x, n);
    const lower = cholesky(x, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const rebuilt = values.reduce((sum, value, k) => sum + vectors[i * n + k] * value * vectors[j * n + k], 0);
        expect(rebuilt).toBeCloseTo(x[i * n + j], 11);
        const dot = values.reduce((sum, _, k) => sum + vectors[k * n + i] * vectors[k * n + j], 0);
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 12);
        const product = values.reduce((sum, _, k) => sum + lower[i * n + k] * lower[j * n + k], 0);
        expect(product).toBeCloseTo(x[i * n + j], 11);
        if (j > i) expect(lower[i * n + j]).toBe(0);
      }
    }
    expect(() => cholesky(Float64Array.of(1, 2, 2, 1), 2)).toThrow(/not positive definite/);
  });
});

describe('balanceAttention', () => {
  it('leaves exact attention as it was', async () => {
    for (const positions of ['learned', 'rotary'] as const) {
      const made = model(positions === 'rotary' ? { positions, dModel: 16 } : { positions });
      const before = await states(made);
      const old = await made.parameters().get('blocks.0.attention.query.weight')!.data();
      await balanceAttention(made, batches);
      expect(await made.parameters().get('blocks.0.attention.query.weight')!.data()).not.toEqual(old);
      const after = await states(made);
      before.forEach((x, i) => {
        expect(Math.abs(x - after[i])).toBeLessThan(1e-9);
      });
    }
  });

  it('gives queries and keys one diagonal covariance, and opposite means', async () => {
    const made = model();
    const before = await vectors(made, 1, 1);
    await balanceAttention(made, batches);
    const [queries, keys] = await vectors(made, 1, 1);
    const [q, k] = [covariance(queries), covariance(keys)];
    const size = Math.max(...q.map((row, i) => row[i]));
    for (let i = 0; i < dHead; i++) {
      expect(mean(queries)[i] + mean(keys)[i]).toBeCloseTo(0, 10);
      for (let j = 0; j < dHead; j++) {
        // The ridge of 1e-3 is not part of the covariances.
        expect(Math.abs(q[i][j] - k[i][j]) / size).toBeLessThan(0.01);
        if (i !== j) expect(Math.abs(q[i][j]) / size).toBeLessThan(0.01);
      }
    }
    expect(sumOfSquares([queries, keys])).toBeLessThan(0.5 * sumOfSquares(before));
  });

  it('makes the mean of ‖q + k‖² least, among transforms near it', () => {
    const random = new Random(2);
    const rows = (shift: number, scales: readonly number[]) =>
      Array.from({ length: 200 }, () => scales.map((scale) => shift + scale * random.normal()));
    const [queries, keys] = [rows(1, [3, 1, 0.2]), rows(-2, [0.1, 1, 2])];
    const moments = [queries, keys].map((all) => {
      const found = new HeadMoments(3);
      for (const row of all) found.add(Float64Array.from(row), 0);
      return found;
    });
    const transform = balanceTransform(moments[0], moments[1]);
    const mapped = (rows: readonly number[][], matrix: Float64Array, shift: ArrayLike<number> = [0, 0, 0]) =>
      rows.map((row) => row.map((_, i) => row.reduce((sum, x, j) => sum + matrix[3 * i + j] * x, -shift[i])));
    const [q, k] = [mapped(queries, transform.queries), mapped(keys, transform.keys, transform.shift)];
    const least = sumOfSquares([q, k]);
    expect(least).toBeLessThan(0.25 * sumOfSquares([queries, keys]));
    for (let trial = 0; trial < 100; trial++) {
      // Shears I + s·eᵢeⱼᵀ and stretches, with their inverse transposes, and shifts.
      const [i, j, s] = [random.integer(3), random.integer(3), 0.3 * random.normal()];
      const [a, b] = [Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1)];
      a[3 * i + j] += s;
      if (i === j) b[4 * i] = 1 / (1 + s);
      else b[3 * j + i] -= s;
      const shift = Float64Array.from({ length: 3 }, () => (trial % 2) * 0.3 * random.normal());
      // Within the ridge.
      expect(sumOfSquares([mapped(q, a), mapped(k, b, shift)])).toBeGreaterThan(least * 0.999);
    }
  });

  it('gives rotated pairs one mean square where positions are rotary', async () => {
    const made = model({ positions: 'rotary', dModel: 12, numHeads: 2 });
    await balanceAttention(made, batches);
    const { queries, keys } = made.attentionInputs(tensor(backend, batches[1].input, batches[1].shape))[0];
    expect(queries.shape[3]).toBe(6);
    const squares = async (x: typeof queries) => {
      const data = await x.data();
      return [0, 2, 4].map((c) => {
        let sum = 0;
        for (let at = c; at < data.length; at += 6) sum += data[at] ** 2 + data[at + 1] ** 2;
        return sum;
      });
    };
    const [q, k] = [await squares(queries), await squares(keys)];
    // Moments are those of all batches, this is one of them.
    q.forEach((x, i) => {
      expect(Math.abs(Math.log(x / k[i]))).toBeLessThan(0.5);
    });
  });

  it('makes FAVOR+ better', async () => {
    const options = {
      attention: { type: 'favor', numFeatures: 64 },
      numFeatures: [],
      estimators: [],
      seed: 4,
    } as const;
    const plain = await conversionReport(model(), batches, options);
    const balanced = model();
    await balanceAttention(balanced, batches);
    const report = await conversionReport(balanced, batches, options);
    expect(report.p).toBeLessThan(0.5 * plain.p);
    expect(report.chosen.model.embeddingError).toBeLessThan(0.5 * plain.chosen.model.embeddingError);
  });

  it('says what it cannot do', async () => {
    await expect(balanceAttention(model(), [])).rejects.toThrow(/at least one sequence/);
    await expect(balanceAttention(model({ attention: 'lsh' }), batches)).rejects.toThrow(/Queries serve as keys/);
  });
});
