/** Attention inputs shared by the cases of softmax attention and FAVOR+. */
import { type AttentionArrays, type AttentionLayout, SEQUENCE_COLUMNS, type Storage } from '../../src/backend/types.ts';
import type { Random } from '../../src/base/random.ts';
import type { Sizes } from '../attention/quadratic-form.ts';
import { type Data, normals } from './case.ts';

export interface AttentionSetup extends Sizes {
  readonly name: string;
  readonly layout: AttentionLayout;
  /** Rows {batch, queryStart, queryLength, keyStart, keyLength, offset}; offset defaults to keyLength - queryLength. Default: one for every batch row. */
  readonly sequences?: readonly (readonly number[])[];
  readonly isValidKey?: (batch: number, key: number) => boolean;
  /** Standard deviation of q and k. Default 1. */
  readonly inputScale?: number;
  /** Multiplies the key at a position. Default 1. */
  readonly keyScale?: (key: number) => number;
  /** Multiplies the query at a position. Default 1. */
  readonly queryScale?: (query: number) => number;
  /** Of a near field; 0: all keys are near. Default 0. */
  readonly block?: number;
  readonly sinks?: number;
}

const sizes = (batch: number, heads: number, lengthQ: number, lengthK: number, dHead: number, dValue: number) => {
  return { batch, heads, lengthQ, lengthK, dHead, dValue };
};

/** Every third key from the first on is masked, and all of batch row 1. */
const thirds = (batch: number, key: number) => batch !== 1 && key % 3 !== 0;

const packed = [
  [0, 1, 5, 1, 5],
  [0, 6, 1, 6, 1],
  [0, 9, 70, 9, 70],
  [1, 0, 0, 0, 0],
  [1, 3, 67, 3, 67],
];

/** As many queries as keys in every sequence, as causal FAVOR+ needs. */
export const squareSetups: AttentionSetup[] = (['bhld', 'blhd'] as const).flatMap((layout): AttentionSetup[] => {
  // large inputs: one size for each layout
  const scale = layout === 'bhld' ? 10 : 30;
  return [
    { name: 'one token', ...sizes(1, 1, 1, 1, 1, 1), layout },
    { name: 'small', ...sizes(2, 3, 7, 7, 5, 11), layout },
    { name: `small × ${scale}`, ...sizes(2, 3, 7, 7, 5, 11), layout, inputScale: scale },
    { name: 'long', ...sizes(1, 2, 193, 193, 13, 17), layout },
    { name: `long × ${scale}`, ...sizes(1, 2, 193, 193, 13, 17), layout, inputScale: scale },
    { name: 'round sizes', ...sizes(1, 2, 128, 128, 64, 64), layout },
    { name: `round sizes × ${scale}`, ...sizes(1, 2, 128, 128, 64, 64), layout, inputScale: scale },
    { name: 'masked', ...sizes(3, 2, 71, 71, 7, 5), layout, isValidKey: thirds },
    { name: 'packed with gaps', ...sizes(2, 3, 83, 83, 11, 7), layout, sequences: packed },
    {
      name: 'packed and masked',
      ...sizes(2, 3, 83, 83, 11, 7),
      layout,
      sequences: packed,
      isValidKey: (_, key) => key > 12,
    },
    // within one chunk the features' scales rise by thousands of powers of two
    { name: 'rising keys', ...sizes(1, 2, 139, 139, 11, 7), layout, keyScale: (key) => 0.01 * 1.06 ** key },
    { name: 'falling keys', ...sizes(1, 2, 139, 139, 11, 7), layout, keyScale: (key) => 32 * 0.93 ** key },
    { name: 'no sequences', ...sizes(2, 3, 7, 7, 5, 11), layout, sequences: [] },
    { name: 'no tokens', ...sizes(2, 3, 0, 0, 5, 11), layout },
  ];
});

/** Queries and keys of different lengths. */
export const crossSetups: AttentionSetup[] = (['bhld', 'blhd'] as const).flatMap((layout): AttentionSetup[] => [
  { name: 'few queries', ...sizes(2, 3, 5, 139, 7, 11), layout },
  { name: 'few keys', ...sizes(2, 3, 137, 11, 5, 7), layout },
  { name: 'no keys', ...sizes(2, 3, 5, 0, 7, 11), layout },
  { name: 'no queries', ...sizes(2, 3, 0, 5, 7, 11), layout },
  {
    ...{ name: 'sequences of different lengths', ...sizes(2, 2, 73, 41, 5, 7), layout },
    sequences: [
      [0, 2, 69, 1, 37],
      [1, 0, 3, 0, 0],
      [1, 4, 0, 3, 5],
      [1, 5, 31, 9, 29],
    ],
    isValidKey: (batch, key) => batch === 0 || key % 5 !== 2,
  },
]);

/** For causal attention: sequences whose last query sees fewer keys than there are, or all of them before it, or none. */
export const offsetSetups: AttentionSetup[] = (['bhld', 'blhd'] as const).flatMap((layout): AttentionSetup[] => [
  { name: 'keys never seen', ...sizes(1, 2, 41, 211, 7, 11), layout, sequences: [[0, 0, 41, 0, 211, 97]] },
  { name: 'keys run out', ...sizes(1, 2, 149, 101, 11, 7), layout, sequences: [[0, 0, 149, 0, 101, 37]] },
  { name: 'queries before the keys', ...sizes(1, 2, 197, 73, 5, 13), layout, sequences: [[0, 0, 197, 0, 73, -67]] },
  { name: 'a block to the right', ...sizes(1, 1, 67, 131, 5, 3), layout, sequences: [[0, 0, 67, 0, 131, 64]] },
  {
    ...{ name: 'offsets of many sequences', ...sizes(2, 3, 89, 97, 7, 5), layout },
    sequences: [
      [0, 0, 5, 1, 43, 30],
      [0, 5, 3, 44, 7, -2],
      [0, 9, 71, 53, 41, -13],
      [1, 0, 17, 0, 19, 2 ** 31 - 1],
      [1, 17, 19, 19, 17, -(2 ** 31)],
      [1, 37, 11, 37, 0, 5],
      [1, 50, 37, 40, 53, 11],
    ],
    isValidKey: (_, key) => key % 5 !== 2 && (key < 53 || key > 66),
  },
]);

/** Blocks of one key, of sizes that tiles divide or not, wider than the sequence; sinks within a block and beyond several. */
const nearFields = [
  { block: 16, sinks: 0 },
  { block: 5, sinks: 3 },
  { block: 64, sinks: 0 },
  { block: 1, sinks: 2 },
  { block: 100, sinks: 130 },
  { block: 16, sinks: 20 },
  { block: 32, sinks: 1 },
];

const withNearField = (setup: AttentionSetup, i: number): AttentionSetup => {
  const nearField = nearFields[i % nearFields.length];
  return { ...setup, ...nearField, name: `${setup.name}, block ${nearField.block} and ${nearField.sinks} sinks` };
};

/** Lengths around multiples of the block, and beyond several segments (256 positions) of the gradients. */
const lengthSetups = [15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 65, 257, 300].map((length, i): AttentionSetup => {
  const layout = i % 2 === 0 ? 'blhd' : 'bhld';
  return { name: `length ${length}`, ...sizes(1, 2, length, length, 7, 5), layout, block: 16, sinks: i % 3 };
});

/** As many queries as keys, with a near field. */
export const squareNearFieldSetups: AttentionSetup[] = [...squareSetups.map(withNearField), ...lengthSetups];

/** For causal attention with a near field. */
export const offsetNearFieldSetups: AttentionSetup[] = offsetSetups.map(withNearField);

export function attentionInputs(setup: AttentionSetup, random: Random): Record<string, Data> {
  const { batch, heads, lengthQ, lengthK, dHead, dValue, layout, inputScale = 1, isValidKey } = setup;
  const sequences = setup.sequences ?? Array.from({ length: batch }, (_, b) => [b, 0, lengthQ, 0, lengthK]);
  const mask = Float32Array.from({ length: batch * lengthK }, (_, i) =>
    !isValidKey || isValidKey(Math.floor(i / lengthK), i % lengthK) ? 1 : 0,
  );
  const rowsOf = (length: number, scaleAt: (position: number) => number = () => 1) =>
    normals(random, batch * heads * length * dHead, inputScale).map((value, at) => {
      const row = Math.floor(at / dHead);
      return value * scaleAt(layout === 'bhld' ? row % length : Math.floor(row / heads) % length);
    });
  return {
    q: rowsOf(lengthQ, setup.queryScale),
    k: rowsOf(lengthK, setup.keyScale),
    v: normals(random, batch * heads * lengthK * dValue),
    dOut: normals(random, batch * heads * lengthQ * dValue),
    sequences: Int32Array.from(
      sequences.flatMap((sequence) =>
        sequence.length === SEQUENCE_COLUMNS ? sequence : [...sequence, sequence[4] - sequence[2]],
      ),
    ),
    ...(isValidKey ? { keyMask: mask } : {}),
  };
}

export function attentionArrays(setup: AttentionSetup, arrays: Readonly<Record<string, Storage>>): AttentionArrays {
  const { heads, lengthQ, lengthK, dHead, dValue, layout } = setup;
  const { q, k, v, sequences, keyMask } = arrays;
  return {
    q,
    k,
    v,
    sequences,
    keyMask,
    heads,
    lengthQ,
    lengthK,
    dHead,
    dValue,
    layout,
    numSequences: sequences.length / SEQUENCE_COLUMNS,
  };
}

/** Lengths of out and of an array with one number per query. */
export function outputLengths(setup: AttentionSetup): { out: number; perQuery: number } {
  const perQuery = setup.batch * setup.heads * setup.lengthQ;
  return { out: perQuery * setup.dValue, perQuery };
}

export function gradientLengths(setup: AttentionSetup): { dQ: number; dK: number; dV: number } {
  const { batch, heads, lengthQ, lengthK, dHead, dValue } = setup;
  const rows = batch * heads;
  return { dQ: rows * lengthQ * dHead, dK: rows * lengthK * dHead, dV: rows * lengthK * dValue };
}

/**
 * Size of the terms of dQ and dK, P_ij (dOut_i · v_j − dOut_i · out_i) times a row of the projection or of q and k.
 * Where one key takes all the attention these terms cancel, and only their rounding remains.
 */
export function gradientTermSize(setup: AttentionSetup): { dQ: number; dK: number } {
  const size = Math.sqrt(setup.dValue) * (setup.inputScale ?? 1) * setup.dHead ** -0.5;
  return { dQ: size, dK: size };
}
