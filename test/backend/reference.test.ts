/** The oracle is itself proven: closed forms, direct evaluation, and central differences of every backward call. */

import { describe, expect, test } from 'vitest';
import { dividedRows, exponentialEstimator } from '../../src/backend/projection-sizes.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { erf } from '../../src/backend/reference/elementwise.ts';
import type { AttentionLayout, Storage } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import { centralDifferences, expectClose, weightedLoss } from './reference/central-differences.ts';

const backend = createReferenceBackend();
const random = new Random(20210301);
const normals = (count: number, scale = 1) => Float64Array.from({ length: count }, () => scale * random.normal());
const zeros = (count: number) => backend.upload(new Float64Array(count));

describe('reference memory', () => {
  test('slices share memory, uploads and reads copy, bytes are counted', async () => {
    const fresh = createReferenceBackend();
    const data = Float64Array.of(1, 2, 3, 4);
    const x = fresh.upload(data);
    data[1] = 9;
    const tail = fresh.slice(fresh.slice(x, 1, 3), 1, 2);
    expect(await fresh.read(tail)).toEqual(Float64Array.of(3, 4));
    fresh.fill(tail, 7);
    expect(await fresh.read(x)).toEqual(Float64Array.of(1, 2, 7, 7));
    const ids = fresh.upload(Int32Array.of(5));
    expect([x.type, ids.type, fresh.bytesAllocated]).toEqual(['float32', 'int32', 36]);
    fresh.release(x);
    fresh.release(ids);
    expect(fresh.bytesAllocated).toBe(0);
  });

  test('misuse is named', () => {
    const x = backend.upload(Float64Array.of(1, 2));
    expect(() => backend.slice(x, 1, 2)).toThrow(/2 elements from 1 on are not in a storage of 2/);
    expect(() => backend.scale(backend.upload(Int32Array.of(1)), x, 0)).toThrow(/x has 1 elements of int32/);
    expect(() => backend.fill({ type: 'float32', length: 1 }, 0)).toThrow(/another backend/);
    const part = backend.slice(x, 0, 1);
    expect(() => backend.release(part)).toThrow(/slice cannot be released/);
    backend.release(x);
    expect(() => backend.fill(part, 0)).toThrow(/after its release/);
  });
});

/** Sizes of attention over one sequence of one head. */
const oneSequence = (length: number, dHead: number, dValue: number) => {
  const sequences = backend.upload(Int32Array.of(0, 0, length, 0, length, 0));
  const sizes = { numSequences: 1, heads: 1, lengthQ: length, lengthK: length, dHead, dValue };
  return { ...sizes, layout: 'bhld' as const, sequences };
};

describe('reference forward', () => {
  test('gemm: a product by hand, with bias, alpha and accumulation', async () => {
    const a = backend.upload(Float64Array.of(1, 2, 3, 4, 5, 6));
    const b = backend.upload(Float64Array.of(1, 0, 2, 1, 0, 3));
    const c = backend.upload(Float64Array.of(100, 200, 300, 400));
    const bias = backend.upload(Float64Array.of(10, 20));
    backend.gemm({ a, b, c, bias, m: 2, n: 2, k: 3, alpha: 2, accumulate: true });
    // [1 2 3; 4 5 6] [1 0; 2 1; 0 3] = [5 11; 14 23]
    expect(await backend.read(c)).toEqual(Float64Array.of(120, 242, 338, 466));
  });

  test('gemm: transposes read the stored matrix the other way', async () => {
    const a = backend.upload(Float64Array.of(1, 4, 2, 5, 3, 6));
    const b = backend.upload(Float64Array.of(1, 2, 0, 0, 1, 3));
    const c = zeros(4);
    backend.gemm({ a, b, c, m: 2, n: 2, k: 3, transposeA: true, transposeB: true });
    expect(await backend.read(c)).toEqual(Float64Array.of(5, 11, 14, 23));
  });

  test('erf has its tabulated values', () => {
    const table = [
      [0, 0],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
    ];
    for (const [x, value] of table) {
      expect(Math.abs(erf(x) - value)).toBeLessThan(4e-16);
      expect(erf(-x)).toBe(-erf(x));
    }
    expect(erf(7)).toBe(1);
  });

  test('one feature weighs the keys alone: out = Σ φ(k) v / Σ φ(k), whatever the query', async () => {
    const [length, dHead, dValue] = [7, 3, 2];
    const k = normals(length * dHead);
    const v = normals(length * dValue);
    const w = normals(dHead);
    const out = zeros(length * dValue);
    backend.favor({
      ...oneSequence(length, dHead, dValue),
      q: backend.upload(normals(length * dHead, 4)),
      k: backend.upload(k),
      v: backend.upload(v),
      ...exponentialEstimator(1),
      ...dividedRows,
      projection: backend.upload(w),
      sums: zeros(dValue + 1),
      compensation: zeros(dValue + 1),
      scales: zeros(1),
      out,
      denominator: zeros(length),
    });
    const weights = Array.from({ length }, (_, j) => {
      const x = Array.from(k.subarray(j * dHead, (j + 1) * dHead), (value) => value / dHead ** 0.25);
      return Math.exp(x.reduce((sum, value, c) => sum + w[c] * value - (value * value) / 2, 0));
    });
    const total = weights.reduce((a, b) => a + b);
    const mean = [0, 1].map((c) => weights.reduce((sum, weight, j) => sum + (weight / total) * v[j * dValue + c], 0));
    expectClose(await backend.read(out), Array.from({ length }, () => mean).flat(), 1e-13);
  });

  test('many Gaussian features approach exact attention with scale 1/√d', async () => {
    const [length, dHead, dValue, numFeatures] = [5, 3, 2, 60_000];
    const shared = {
      ...oneSequence(length, dHead, dValue),
      q: backend.upload(normals(length * dHead, 0.7)),
      k: backend.upload(normals(length * dHead, 0.7)),
      v: backend.upload(normals(length * dValue)),
    };
    const exact = zeros(length * dValue);
    const scale = 1 / Math.sqrt(dHead);
    backend.softmaxAttention({ ...shared, out: exact, logSumExp: zeros(length), causal: true, scale, normalise: true });
    const favor = zeros(length * dValue);
    const projection = backend.upload(normals(numFeatures * dHead));
    backend.favorCausal({
      ...shared,
      ...exponentialEstimator(numFeatures),
      ...dividedRows,
      projection,
      out: favor,
      denominator: zeros(length),
    });
    // the standard error is about 2 / √60,000 = 0.008
    expectClose(await backend.read(favor), await backend.read(exact), 0.05);
  });

  test('softmax cross-entropy of equal logits is the log of the vocabulary; negative targets count for nothing', async () => {
    const loss = zeros(2);
    const correct = zeros(2);
    const dLogits = zeros(10);
    const targets = backend.upload(Int32Array.of(0, -1));
    backend.softmaxCrossEntropy({
      logits: zeros(10),
      targets,
      loss,
      correct,
      dLogits,
      rows: 2,
      vocabSize: 5,
      gradientScale: 3,
    });
    expectClose(await backend.read(loss), [Math.log(5), 0], 1e-15);
    expect(await backend.read(correct)).toEqual(Float64Array.of(1, 0));
    expectClose(await backend.read(dLogits), [-2.4, 0.6, 0.6, 0.6, 0.6, 0, 0, 0, 0, 0], 1e-15);
  });

  test('softmax divergence of two coins, and of logits that agree but for a shift', async () => {
    const [loss, correct, dLogits] = [zeros(2), zeros(2), zeros(4)];
    // At temperature 2: chances 1/2 and 1/2 against 3/4 and 1/4 of the teacher.
    const logits = backend.upload(Float64Array.of(7, 7, -3, 5));
    const targets = backend.upload(Float64Array.of(2 * Math.log(3), 0, 0, 8));
    const outputs = { loss, correct, dLogits };
    const sizes = { rows: 2, vocabSize: 2, inverseTemperature: 0.5, gradientScale: 8 };
    backend.softmaxKlDivergence({ logits, targets, ...outputs, ...sizes });
    expectClose(await backend.read(loss), [0.75 * Math.log(1.5) + 0.25 * Math.log(0.5), 0], 1e-15);
    expect(await backend.read(correct)).toEqual(Float64Array.of(1, 1));
    expectClose(await backend.read(dLogits), [-2, 2, 0, 0], 1e-14);
    backend.softmaxKlDivergence({ logits, targets: backend.upload(Float64Array.of(0, 1, 1, 0)), ...outputs, ...sizes });
    expect(await backend.read(correct)).toEqual(Float64Array.of(0, 0));
  });

  test('the first AdamW step moves by the learning rate against the sign, and decays', async () => {
    const parameter = backend.upload(Float64Array.of(1, -2));
    const moments = { firstMoment: zeros(2), secondMoment: zeros(2) };
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.98, epsilon: 0, weightDecay: 0.5, step: 1 };
    const gradient = backend.upload(Float64Array.of(6, -4));
    backend.adamW({ parameter, gradient, ...moments, ...options, gradientScale: 0.5 });
    expectClose(await backend.read(parameter), [1 - 0.1 - 0.05, -2 + 0.1 + 0.1], 1e-14);
    expectClose(await backend.read(moments.firstMoment), [0.3, -0.2], 1e-14);
    expectClose(await backend.read(moments.secondMoment), [0.18, 0.08], 1e-14);
  });

  test('dropout keeps the expected share, scales it up, and repeats itself', async () => {
    const count = 40_001;
    const x = backend.upload(new Float64Array(count).fill(2));
    const [first, second, other] = [zeros(count), zeros(count), zeros(count)];
    const call = { x, rate: 0.25, seedLow: 3, seedHigh: 4, stream: 5 };
    backend.dropout({ ...call, out: first });
    backend.dropout({ ...call, out: second });
    backend.dropout({ ...call, out: other, stream: 6 });
    const values = await backend.read(first);
    expect(await backend.read(second)).toEqual(values);
    expect(await backend.read(other)).not.toEqual(values);
    expect(new Set(values)).toEqual(new Set([0, 2 / 0.75]));
    const kept = values.filter((value) => value !== 0).length / count;
    expect(Math.abs(kept - 0.75)).toBeLessThan(5 * Math.sqrt(0.1875 / count));
  });

  test('rotary scores depend on the distance alone, and the inverse undoes it', async () => {
    const dHead = 6;
    const x = backend.upload(normals(dHead));
    const y = backend.upload(normals(dHead));
    const rotate = async (source: Storage, offset: number) => {
      const out = zeros(dHead);
      const sizes = { batch: 1, heads: 1, length: 1, dHead, layout: 'bhld' as const, base: 10_000 };
      backend.rotary({ x: source, out, ...sizes, offset, inverse: false });
      const back = zeros(dHead);
      backend.rotary({ x: out, out: back, ...sizes, offset, inverse: true });
      expectClose(await backend.read(back), await backend.read(source), 1e-14);
      return backend.read(out);
    };
    const score = async (i: number, j: number) => {
      const [a, b] = [await rotate(x, i), await rotate(y, j)];
      return Array.from(a).reduce((sum, value, c) => sum + value * b[c], 0);
    };
    expectClose([await score(13, 4)], [await score(109, 100)], 1e-12);
    expect(Math.abs((await score(13, 4)) - (await score(13, 5)))).toBeGreaterThan(1e-3);
  });
});

describe('reference backward against central differences', () => {
  test.each(['relu', 'gelu', 'geluTanh', 'tanh'] as const)('%s', async (kind) => {
    const x = backend.upload(Float64Array.from([...normals(11, 2), 9, -9]));
    const weights = normals(13);
    const [out, dX] = [zeros(13), zeros(13)];
    const loss = weightedLoss(backend, () => backend.activation(kind, x, out), out, weights);
    backend.activationBackward(kind, x, backend.upload(weights), dX);
    expectClose(await backend.read(dX), await centralDifferences(backend, x, loss), 1e-6);
  });

  test('layer norm', async () => {
    const [rows, width] = [3, 7];
    const x = backend.upload(normals(rows * width, 2));
    const gamma = backend.upload(normals(width));
    const beta = backend.upload(normals(width));
    const weights = normals(rows * width);
    const out = zeros(rows * width);
    const kept = { mean: zeros(rows), inverseDeviation: zeros(rows) };
    const forward = () => backend.layerNorm({ x, gamma, beta, out, ...kept, rows, width, epsilon: 1e-2 });
    const loss = weightedLoss(backend, forward, out, weights);
    forward();
    const gradients = { dX: zeros(rows * width), dGamma: zeros(width), dBeta: zeros(width) };
    backend.layerNormBackward({ x, gamma, ...kept, dOut: backend.upload(weights), ...gradients, rows, width });
    expectClose(await backend.read(gradients.dX), await centralDifferences(backend, x, loss), 1e-6);
    expectClose(await backend.read(gradients.dGamma), await centralDifferences(backend, gamma, loss), 1e-6);
    expectClose(await backend.read(gradients.dBeta), await centralDifferences(backend, beta, loss), 1e-6);
  });

  test('softmax divergence', async () => {
    const [rows, vocabSize] = [3, 5];
    const logits = backend.upload(normals(rows * vocabSize, 3));
    const targets = backend.upload(normals(rows * vocabSize, 3));
    const [losses, dLogits] = [zeros(rows), zeros(rows * vocabSize)];
    // dLogits is of the logits over the temperature.
    const call = { logits, targets, loss: losses, rows, vocabSize, inverseTemperature: 0.4, gradientScale: 0.4 };
    const weights = new Float64Array(rows).fill(1);
    const loss = weightedLoss(backend, () => backend.softmaxKlDivergence(call), losses, weights);
    backend.softmaxKlDivergence({ ...call, dLogits });
    expectClose(await backend.read(dLogits), await centralDifferences(backend, logits, loss), 1e-6);
  });

  test('softmax cross-entropy', async () => {
    const [rows, vocabSize] = [3, 5];
    const logits = backend.upload(normals(rows * vocabSize, 3));
    const targets = backend.upload(Int32Array.of(4, -1, 0));
    const [losses, dLogits] = [zeros(rows), zeros(rows * vocabSize)];
    const call = { logits, targets, loss: losses, rows, vocabSize, gradientScale: 1 };
    const loss = weightedLoss(backend, () => backend.softmaxCrossEntropy(call), losses, new Float64Array(rows).fill(1));
    backend.softmaxCrossEntropy({ ...call, dLogits });
    expectClose(await backend.read(dLogits), await centralDifferences(backend, logits, loss), 1e-6);
  });

  test('embedding', async () => {
    const table = backend.upload(normals(5 * 3));
    const ids = backend.upload(Int32Array.of(4, 1, 4, 0));
    const weights = normals(4 * 3);
    const [out, dTable] = [zeros(12), zeros(15)];
    const loss = weightedLoss(backend, () => backend.embedding({ table, ids, out, count: 4, width: 3 }), out, weights);
    backend.embeddingBackward({ ids, dOut: backend.upload(weights), dTable, count: 4, width: 3 });
    expectClose(await backend.read(dTable), await centralDifferences(backend, table, loss), 1e-6);
  });

  const attentionCases: [mechanism: string, layout: AttentionLayout, inputScale: number][] = [
    ['softmax', 'bhld', 1],
    ['softmax causal', 'blhd', 1],
    ['favor', 'bhld', 1],
    ['favor', 'blhd', 4],
    ['favor causal', 'blhd', 1],
    ['favor causal', 'bhld', 4],
  ];
  test.each(attentionCases)('%s, %s, inputs × %d', async (mechanism, layout, inputScale) => {
    const [batch, heads, length, dHead, dValue, numFeatures] = [2, 2, 7, 3, 5, 4];
    const causal = mechanism.endsWith('causal');
    const count = batch * heads * length;
    const inputs = {
      q: backend.upload(normals(count * dHead, inputScale)),
      k: backend.upload(normals(count * dHead, inputScale)),
      v: backend.upload(normals(count * dValue)),
    };
    // batch row 0 packs two sequences with a gap; in row 1 key 0 is masked, so that a causal query sees nothing
    const mask = new Float64Array(batch * length).fill(1);
    mask[length] = 0;
    mask[3] = 0;
    const shared = {
      ...{ numSequences: 3, heads, lengthQ: length, lengthK: length, dHead, dValue, layout },
      sequences: backend.upload(Int32Array.of(0, 0, 2, 0, 2, 0, 0, 3, 4, 3, 4, 0, 1, 0, 7, 0, 7, 0)),
      keyMask: backend.upload(mask),
      ...exponentialEstimator(numFeatures),
      ...dividedRows,
      projection: backend.upload(normals(numFeatures * dHead)),
      bias: backend.upload(normals(numFeatures)),
    };
    const out = zeros(count * dValue);
    const denominator = zeros(count);
    const state = {
      sums: zeros(3 * heads * numFeatures * (dValue + 1)),
      compensation: zeros(3 * heads * numFeatures * (dValue + 1)),
      scales: zeros(3 * heads * numFeatures),
    };
    const softmax = { causal, scale: 0.6, normalise: true, logSumExp: zeros(count) };
    const forward = () => {
      const call = { ...shared, ...inputs, out, denominator };
      if (mechanism.startsWith('softmax')) backend.softmaxAttention({ ...call, ...softmax });
      else if (causal) backend.favorCausal(call);
      else backend.favor({ ...call, ...state });
    };
    const weights = normals(count * dValue);
    const loss = weightedLoss(backend, forward, out, weights);
    forward();
    const gradients = { dQ: zeros(count * dHead), dK: zeros(count * dHead), dV: zeros(count * dValue) };
    const call = { ...shared, ...inputs, ...gradients, out, denominator, dOut: backend.upload(weights) };
    if (mechanism.startsWith('softmax')) backend.softmaxAttentionBackward({ ...call, ...softmax });
    else if (causal) backend.favorCausalBackward({ ...call, snapshots: zeros(0) });
    else backend.favorBackward({ ...call, ...state });
    expectClose(await backend.read(gradients.dQ), await centralDifferences(backend, inputs.q, loss), 1e-6);
    expectClose(await backend.read(gradients.dK), await centralDifferences(backend, inputs.k, loss), 1e-6);
    expectClose(await backend.read(gradients.dV), await centralDifferences(backend, inputs.v, loss), 1e-6);
  });
});
