import { type LshArrays, SEQUENCE_COLUMNS, type Storage } from '../../../../src/backend/types.ts';
import type { Random } from '../../../../src/base/random.ts';
import { type Case, type Data, normals } from '../../case.ts';

type LshSizes = 'batch' | 'heads' | 'length' | 'dHead' | 'dValue' | 'layout' | 'causal' | 'chunkLength' | 'numHashes';

export interface LshSetup extends Pick<LshArrays, LshSizes> {
  readonly name: string;
  /** Buckets of the sort; and of the random chunks that attention is given. */
  readonly numBuckets: number;
  /** Rows {batch, start, length}. Default: one for every batch row. */
  readonly sequences?: readonly (readonly [number, number, number])[];
  readonly isValidKey?: (batch: number, key: number) => boolean;
  readonly inputScale?: number;
}

const small = { batch: 2, heads: 3, length: 29, dHead: 5, dValue: 7, chunkLength: 3, numHashes: 3, numBuckets: 6 };
const large = { batch: 1, heads: 2, length: 331, dHead: 67, dValue: 35, chunkLength: 37, numHashes: 4, numBuckets: 14 };

export const lshSetups: LshSetup[] = (['bhld', 'blhd'] as const).flatMap((layout) =>
  [false, true].flatMap((causal): LshSetup[] => {
    const form = { layout, causal };
    return [
      { name: 'small', ...small, ...form },
      { name: 'one hash', ...small, ...form, numHashes: 1 },
      { name: 'long queries', ...small, ...form, inputScale: 30 },
      { name: 'masked', ...small, ...form, isValidKey: (batch, key) => batch === 1 && key % 3 !== 1 },
      {
        ...{ name: 'packed with gaps', ...small, ...form },
        sequences: [
          [0, 1, 11],
          [0, 12, 1],
          [0, 17, 12],
          [1, 0, 0],
          [1, 3, 23],
        ],
        isValidKey: (_, key) => key % 7 !== 5,
      },
      { name: 'chunks wider than the sequence', ...small, ...form, chunkLength: 64 },
      { name: 'large', ...large, ...form, isValidKey: (_, key) => key % 11 !== 3 },
      { name: 'round sizes', ...large, ...form, length: 256, dHead: 64, dValue: 64, chunkLength: 64, numBuckets: 4 },
      { name: 'many buckets', ...large, ...form, dHead: 11, dValue: 3, chunkLength: 8, numBuckets: 90 },
      { name: 'no tokens', ...small, ...form, length: 0 },
    ];
  }),
);

const sequencesOf = ({ sequences, batch, length }: LshSetup) =>
  sequences ?? Array.from({ length: batch }, (_, b) => [b, 0, length] as const);

/** A random order of each sequence, cut at random into chunks, some apart from the one before. */
function randomChunks(setup: LshSetup, random: Random): { order: Int32Array; chunks: Int32Array } {
  const { batch, heads, length, chunkLength, numHashes } = setup;
  const [order, chunks] = [1, 2].map(() => new Int32Array(numHashes * batch * heads * length).fill(-1));
  for (let hash = 0; hash < numHashes; hash++) {
    for (const [b, start, count] of sequencesOf(setup)) {
      for (let head = 0; head < heads; head++) {
        const row = ((hash * batch + b) * heads + head) * length + start;
        const keyed = Array.from({ length: count }, (_, i) => [random.uniform(), i]).sort(([x], [y]) => x - y);
        let left = chunkLength;
        let chunk = 0;
        keyed.forEach(([, position], slot) => {
          if (left-- === 0) {
            chunk += random.integer(3) > 0 ? 1 : 2;
            left = chunkLength - 1 - random.integer(Math.ceil(chunkLength / 2));
          }
          order[row + slot] = position;
          chunks[row + position] = chunk;
        });
      }
    }
  }
  return { order, chunks };
}

function inputsOf(setup: LshSetup, random: Random): Record<string, Data> {
  const { batch, heads, length, dHead, dValue, numHashes, numBuckets, inputScale = 1, isValidKey } = setup;
  const rows = batch * heads * length;
  const mask = Float32Array.from({ length: batch * length }, (_, i) =>
    isValidKey?.(Math.floor(i / length), i % length) ? 1 : 0,
  );
  return {
    q: normals(random, rows * dHead, inputScale),
    v: normals(random, rows * dValue),
    dOut: normals(random, rows * dValue),
    rotations: normals(random, numHashes * (numBuckets / 2) * dHead),
    sequences: Int32Array.from(sequencesOf(setup).flatMap(([b, start, count]) => [b, start, count, start, count, 0])),
    ...(isValidKey ? { keyMask: mask } : {}),
  };
}

function arraysOf(setup: LshSetup, arrays: Readonly<Record<string, Storage>>): LshArrays {
  const { batch, heads, length, dHead, dValue, layout, causal, chunkLength, numHashes } = setup;
  const { q, v, keyMask, sequences, order, chunks } = arrays;
  const sizes = {
    numSequences: sequences.length / SEQUENCE_COLUMNS,
    batch,
    heads,
    length,
    dHead,
    dValue,
    layout,
    causal,
  };
  return { q, v, keyMask, sequences, order, chunks, ...sizes, chunkLength, numHashes };
}

export function lshAttentionCasesOf(setup: LshSetup): Case[] {
  const { batch, heads, length, dHead, dValue, numHashes, numBuckets, inputScale = 1 } = setup;
  const name = `${setup.name} ${setup.layout}${setup.causal ? ' causal' : ''}`;
  const rows = batch * heads * length;
  const scale = 1.3 / inputScale;
  const withChunks = (random: Random) => ({ ...inputsOf(setup, random), ...randomChunks(setup, random) });
  const results = { out: rows * dValue, references: rows, sums: rows };
  const forward: Case['call'] = (backend, arrays) => {
    const { out, references, sums } = arrays;
    backend.lshAttention({ ...arraysOf(setup, arrays), scale, out, references, sums });
  };
  return [
    {
      ...{ name: `sort ${name}`, bound: 0, because: 'whole numbers; no two rotated coordinates are near each other' },
      inputs: (random) => inputsOf(setup, random),
      outputs: () => ({
        order: new Int32Array(numHashes * rows).fill(-1),
        chunks: new Int32Array(numHashes * rows).fill(-1),
      }),
      call: (backend, arrays) => {
        const rotations = { rotations: arrays.rotations, numRotations: numBuckets / 2, numBuckets };
        backend.lshSort({ ...arraysOf(setup, arrays), ...rotations });
      },
    },
    {
      ...{ name, bound: 1e-5, because: 'exp of scores of up to a dozen or so, rounded to float32', inputs: withChunks },
      outputs: () => results,
      call: forward,
    },
    {
      ...{ name: `backward ${name}`, bound: 3e-5, because: 'differences of such terms', inputs: withChunks },
      outputs: () => ({ ...results, dQ: rows * dHead, dV: rows * dValue }),
      call: (backend, arrays) => {
        forward(backend, arrays);
        const { out, references, sums, dOut, dQ, dV } = arrays;
        backend.lshAttentionBackward({ ...arraysOf(setup, arrays), scale, out, references, sums, dOut, dQ, dV });
      },
    },
  ];
}

export const lshAttentionCases: Case[] = lshSetups.flatMap(lshAttentionCasesOf);
