/** USE-lite's loader on made-up weights; its own runtime is compared by the experiment. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareEmbeddings, cosine, pairSimilarities } from '../../experiments/embeddings.ts';
import { type LayerAttention, MAX_TOKENS, UseLite } from '../../experiments/use-lite/model.ts';
import { inspect, withFeatures } from '../../experiments/use-lite/run.ts';
import { UseLiteTokenizer, vocabularyFile } from '../../experiments/use-lite/tokenizer.ts';
import { type NamedWeight, readTensorFlowWeights } from '../../experiments/use-lite/weights.ts';
import { type Backend, createBackend, exactAttention, Random } from '../../src/entries/performers.ts';

let backend: Backend;
const directory = mkdtempSync(join(tmpdir(), 'performers-use-'));
beforeAll(async () => {
  backend = await createBackend({ backend: 'reference' });
});
afterAll(() => {
  backend.close();
  rmSync(directory, { recursive: true });
});

describe('the tokenizer of USE-lite', () => {
  const reserved = ['�', '<s>', '</s>', 'x1', 'x2', 'x3'].map((text): [string, number] => [text, 0]);
  const pieces: [string, number | null][] = [
    ...reserved,
    ['▁', -4],
    ['a', -3],
    ['b', -3],
    ['▁a', -2],
    ['ab', -2.5],
    ['▁ab', -6],
    ['qu', -3],
    [':', null],
    ['c', -2],
    ['cc', -4],
  ];
  const tokenizer = new UseLiteTokenizer(vocabularyFile.parse(pieces));
  const texts = (text: string) => [...tokenizer.encode(text)].map((id) => pieces[id][0]);

  it('takes the likeliest pieces', () => {
    // ▁a b: −5; ▁ ab: −6.5; ▁ab: −6; ▁ a b: −10.
    expect(texts('ab')).toEqual(['▁a', 'b']);
    expect(texts('a aab')).toEqual(['▁a', '▁a', 'ab']);
    expect(texts('')).toEqual([]);
  });

  it('has quirks of the runtime: ties go to the shorter last piece, a colon costs nothing, unknowns run together', () => {
    expect(texts('acc')).toEqual(['▁a', 'c', 'c']);
    expect(texts('a:')).toEqual(['▁a', ':']);
    expect(texts('a☃☃b☃')).toEqual(['▁a', '�', 'b', '�']);
    // No piece begins with u, so that it is unknown, at no cost, though qu would reach beyond it.
    expect(texts('ﬀqu')).toEqual(['▁', '�']);
  });
});

describe('weights of TensorFlow.js', () => {
  it('are read across files, and refused where they do not fit', async () => {
    const numbers = Float32Array.from({ length: 6 }, (_, i) => i / 7);
    const bytes = Buffer.concat([Buffer.from(numbers.buffer), Buffer.from(Int32Array.of(-5, 9).buffer)]);
    writeFileSync(join(directory, 'one'), bytes.subarray(0, 10));
    writeFileSync(join(directory, 'two'), bytes.subarray(10));
    const write = (weights: object[]) =>
      writeFileSync(
        join(directory, 'model.json'),
        JSON.stringify({ weightsManifest: [{ paths: ['one', 'two'], weights }] }),
      );
    const matrix = { name: 'm', shape: [2, 3], dtype: 'float32' };
    write([matrix, { name: 'n', shape: [2], dtype: 'int32' }]);
    const found = await readTensorFlowWeights(directory);
    expect(found.get('m')).toEqual({ shape: [2, 3], data: numbers });
    expect(found.get('n')?.data).toEqual(Int32Array.of(-5, 9));
    write([matrix, { name: 'n', shape: [3], dtype: 'int32' }]);
    await expect(readTensorFlowWeights(directory)).rejects.toThrow(
      '32 bytes of weights, which model.json does not fit',
    );
    write([matrix]);
    await expect(readTensorFlowWeights(directory)).rejects.toThrow('does not fit');
    write([{ ...matrix, quantization: { scale: 1, min: 0, dtype: 'uint8' } }]);
    await expect(readTensorFlowWeights(directory)).rejects.toThrow('not quantised');
    await expect(readTensorFlowWeights(join(directory, 'none'))).rejects.toThrow('cannot be read (ENOENT)');
  });
});

const [ids, narrow, wide] = [13, 6, 10];
/** Widths of all heads together, by layer; of the feed-forward layers. */
const [attended, inner] = [
  [8, 12],
  [7, 5],
];

function madeUpWeights(): Map<string, NamedWeight> {
  const random = new Random(5);
  const weights = new Map<string, NamedWeight>();
  const add = (name: string, shape: number[], deviation = 0.5, centre = 0) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => centre + deviation * random.normal());
    weights.set(`module/Encoder_en/Encode/${name}`, { shape, data });
  };
  add('Embeddings_en', [ids, narrow]);
  add('AddTimingSignal/TimingSignal/ExpandDims_1', [1, narrow / 2]);
  add('tanh_layer_0/weights', [wide, 9]);
  add('tanh_layer_0/bias', [9]);
  for (const [layer, dIn] of [narrow, wide].entries()) {
    const prefix = `Layer_${layer}/TransformerLayer`;
    const joined = 'ConcatPartitions/concat';
    for (const [part, width] of [
      ['layer_prepostprocess', dIn],
      ['FFN/layer_prepostprocess', wide],
    ] as const) {
      add(`${prefix}/${part}/layer_norm/layer_norm_scale/${joined}`, [width], 0.2, 1);
      add(`${prefix}/${part}/layer_norm/layer_norm_bias/${joined}`, [width], 0.2);
    }
    add(`${prefix}/MultiheadAttention/qkv_transform_single/kernel/part_0`, [1, 1, dIn, 3 * attended[layer]], 0.2);
    add(`${prefix}/MultiheadAttention/qkv_transform_single/bias/${joined}`, [3 * attended[layer]], 0.2);
    add(`${prefix}/MultiheadAttention/output_transform_single/kernel/part_0`, [1, 1, attended[layer], wide]);
    add(`${prefix}/MultiheadAttention/output_transform_single/bias/${joined}`, [wide]);
    add(`${prefix}/FFN/conv1/Tensordot/Reshape_1`, [wide, inner[layer]]);
    add(`${prefix}/FFN/conv1/bias/${joined}`, [inner[layer]]);
    add(`${prefix}/FFN/conv2/Tensordot/Reshape_1`, [inner[layer], wide]);
    add(`${prefix}/FFN/conv2/bias/${joined}`, [wide]);
  }
  add('Layer_0/TransformerLayer/dense/kernel/ConcatPartitions/concat', [narrow, wide]);
  add('Layer_0/TransformerLayer/dense/bias/ConcatPartitions/concat', [wide]);
  return weights;
}

/** The graph in plain loops, for one sentence. */
function byHand(weights: ReadonlyMap<string, NamedWeight>, sentence: readonly number[]): number[] {
  const get = (end: string) => [...weights].find(([name]) => name.endsWith(end))?.[1].data as Float32Array;
  const affine = (rows: number[][], matrix: string, bias: string) => {
    const [w, b] = [get(matrix), get(bias)];
    return rows.map((row) =>
      Array.from(b, (start, o) => row.reduce((sum, x, i) => sum + x * w[i * b.length + o], start)),
    );
  };
  const norm = (rows: number[][], prefix: string) => {
    const [scale, bias] = ['scale', 'bias'].map((kind) =>
      get(`${prefix}layer_prepostprocess/layer_norm/layer_norm_${kind}/ConcatPartitions/concat`),
    );
    return rows.map((row) => {
      const mean = row.reduce((a, b) => a + b) / row.length;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      return row.map((x, i) => (scale[i] * (x - mean)) / Math.sqrt(variance + 1e-6) + bias[i]);
    });
  };
  const plus = (a: number[][], b: number[][]) => a.map((row, r) => row.map((x, i) => x + b[r][i]));
  const attention = (rows: number[][], layer: number, prefix: string) => {
    const qkv = affine(
      rows,
      `${prefix}MultiheadAttention/qkv_transform_single/kernel/part_0`,
      `${prefix}MultiheadAttention/qkv_transform_single/bias/ConcatPartitions/concat`,
    );
    const width = attended[layer];
    const dHead = width / 4;
    const heads = qkv.map(() => new Array<number>(width).fill(0));
    for (let head = 0; head < 4; head++) {
      const at = (place: number, part: number, c: number) => qkv[place][part * width + head * dHead + c];
      for (let i = 0; i < rows.length; i++) {
        const scores = rows.map((_, j) => {
          let dot = 0;
          for (let c = 0; c < dHead; c++) dot += at(i, 0, c) * at(j, 1, c);
          return Math.exp(dot / Math.sqrt(dHead));
        });
        const total = scores.reduce((a, b) => a + b);
        for (let c = 0; c < dHead; c++) {
          heads[i][head * dHead + c] = scores.reduce((sum, score, j) => sum + (score / total) * at(j, 2, c), 0);
        }
      }
    }
    return affine(
      heads,
      `${prefix}MultiheadAttention/output_transform_single/kernel/part_0`,
      `${prefix}MultiheadAttention/output_transform_single/bias/ConcatPartitions/concat`,
    );
  };
  const [table, turns] = [get('Embeddings_en'), get('TimingSignal/ExpandDims_1')];
  let x = sentence.map((id, p) =>
    Array.from({ length: narrow }, (_, i) => {
      const half = narrow / 2;
      return 2 * table[id * narrow + i] + (i < half ? Math.sin(p * turns[i]) : Math.cos(p * turns[i - half]));
    }),
  );
  for (let layer = 0; layer < 2; layer++) {
    const prefix = `Layer_${layer}/TransformerLayer/`;
    const joined = 'ConcatPartitions/concat';
    const residual = layer === 0 ? affine(x, `${prefix}dense/kernel/${joined}`, `${prefix}dense/bias/${joined}`) : x;
    const y = plus(residual, attention(norm(x, prefix), layer, prefix));
    const expanded = affine(
      norm(y, `${prefix}FFN/`),
      `${prefix}FFN/conv1/Tensordot/Reshape_1`,
      `${prefix}FFN/conv1/bias/${joined}`,
    ).map((row) => row.map((value) => Math.max(0, value)));
    x = plus(y, affine(expanded, `${prefix}FFN/conv2/Tensordot/Reshape_1`, `${prefix}FFN/conv2/bias/${joined}`));
  }
  const mean = Array.from({ length: wide }, (_, i) => x.reduce((sum, row) => sum + row[i], 0) / x.length);
  const head = affine([mean], 'tanh_layer_0/weights', 'tanh_layer_0/bias')[0].map(Math.tanh);
  return head.map((value) => value / Math.hypot(...head));
}

const exactly: LayerAttention = ({ queries, keys, values, segments }) =>
  exactAttention(queries, keys, values, { segments, layout: 'blhd' });

describe('the model of USE-lite', () => {
  const weights = madeUpWeights();
  const sentences = [[3, 1, 12, 1, 7], [5], [0, 2, 4, 6, 8, 10, 11, 9, 3, 3, 1]];

  it('computes its graph, whatever padding a batch brings', async () => {
    const model = new UseLite(backend, weights);
    const found = await model.embed(sentences, exactly);
    for (const [i, sentence] of sentences.entries()) {
      byHand(weights, sentence).forEach((value, j) => {
        // Positions are float32.
        expect(found[i][j]).toBeCloseTo(value, 6);
      });
    }
    model.dispose();
  });

  it('reads the first tokens of a long text, and no empty one', async () => {
    const model = new UseLite(backend, weights);
    const long = Array.from({ length: MAX_TOKENS + 3 }, (_, i) => (i * i) % ids);
    const [whole, start] = await model.embed([long, long.slice(0, MAX_TOKENS)], exactly);
    expect(whole).toEqual(start);
    await expect(model.embed([[1], []], exactly)).rejects.toThrow('has no tokens');
    model.dispose();
  });

  it('comes near exact attention with many features, and less so with few', async () => {
    const model = new UseLite(backend, weights);
    const exact = await model.embed(sentences, exactly);
    const layers = await inspect(model, sentences, [4, 1024], 0);
    expect(layers.map(({ dHead }) => dHead)).toEqual([2, 3]);
    for (const { outputErrors } of layers) {
      expect(outputErrors[1].error).toBeLessThan(outputErrors[0].error / 2);
      expect(outputErrors[1].error).toBeLessThan(0.1);
    }
    for (const estimator of ['positive', 'hyperbolic', 'favor++', 'trigonometric'] as const) {
      const embed = (numFeatures: number) =>
        withFeatures(model, layers, { estimator, numFeatures, seed: 1 }, (attend) => model.embed(sentences, attend));
      const [few, many] = [await embed(4), await embed(1024)].map((found) => compareEmbeddings(found, exact));
      expect(many.worstCosine, estimator).toBeGreaterThan(0.99);
      expect(few.meanCosine, estimator).toBeLessThan(many.meanCosine);
    }
    model.dispose();
  });

  it('says which weight is missing or does not fit', () => {
    const without = (end: string) => new Map([...weights].filter(([name]) => !name.endsWith(end)));
    expect(() => new UseLite(backend, without('tanh_layer_0/bias'))).toThrow('0 weights /tanh_layer_0/bias');
    const shorter = new Map(weights);
    const name = [...weights.keys()].find((each) => each.endsWith('tanh_layer_0/bias')) as string;
    shorter.set(name, { shape: [3], data: new Float32Array(3) });
    expect(() => new UseLite(backend, shorter)).toThrow('/tanh_layer_0/bias has 3 numbers, not 9');
  });
});

describe('agreement of embeddings', () => {
  it('by hand', () => {
    expect(cosine([3, 4], [4, 3])).toBeCloseTo(24 / 25, 12);
    expect(cosine([0, 0], [1, 2])).toBe(0);
    const vectors = [
      [1, 0],
      [0, 2],
      [3, 4],
    ];
    expect([...pairSimilarities(vectors)].map((x) => Number(x.toFixed(9)))).toEqual([0, 0.6, 0.8]);
    // Similarities fall as a, b, c move apart, and the other way round.
    const [a, b, c] = [
      [1, 0],
      [1, 0.1],
      [1, 0.5],
    ];
    const { meanCosine, worstCosine, spearman } = compareEmbeddings([a, b, c], [a, c, b]);
    const apart = 1.05 / Math.sqrt(1.01 * 1.25);
    expect(meanCosine).toBeCloseTo((1 + 2 * apart) / 3, 12);
    expect(worstCosine).toBeCloseTo(apart, 12);
    // ab, ac, bc: cosines 0.995, 0.894, 0.934 against 0.894, 0.995, 0.934: ranks 3, 1, 2 against 1, 3, 2.
    expect(spearman).toBeCloseTo(-1, 12);
  });
});
