/** The safetensors format, with this package's checksum and without. */

import type { Random } from '../../../src/base/random.ts';
import { decodeSafetensors, encodeSafetensors, type TensorEntry } from '../../../src/entries/performers.ts';
import { bytes, type Files } from '../files.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { mutateJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const FILE = 'model.safetensors';

const ours = (): Uint8Array => {
  const tensors = new Map<string, TensorEntry>([
    ['a.weight', { dtype: 'F32', shape: [3, 5], data: Float32Array.from({ length: 15 }, (_, i) => i) }],
    ['b', { dtype: 'F64', shape: [2], data: Float64Array.of(1, 2) }],
    ['ids', { dtype: 'I32', shape: [1, 1, 7], data: Int32Array.of(1, 2, 3, 4, 5, 6, 7) }],
    ['none', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
  ]);
  return encodeSafetensors(tensors, { format: 'pt', note: 'two words' });
};

/** A file as other libraries write it: no checksum, so that changes of the header are read and not only noticed. */
export function framed(header: Uint8Array, data: Uint8Array): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return Buffer.concat([length, header, data]);
}

const foreign = (): Uint8Array => {
  const header = {
    __metadata__: { format: 'pt' },
    half: { dtype: 'F16', shape: [4], data_offsets: [0, 8] },
    brain: { dtype: 'BF16', shape: [2, 2], data_offsets: [8, 16] },
    weight: { dtype: 'F32', shape: [2, 3], data_offsets: [16, 40] },
    long: { dtype: 'I64', shape: [2], data_offsets: [40, 56] },
  };
  return framed(
    bytes(JSON.stringify(header)),
    Uint8Array.from({ length: 56 }, (_, i) => i),
  );
};

/** Changes the header's tree in place of its bytes, and states the length that the header then has. */
export function mutateSafetensors(random: Random, whole: Uint8Array, other?: Uint8Array): Uint8Array {
  if (random.integer(3) === 0) return mutateBytes(random, whole, other);
  const end = 8 + Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true));
  const header = Buffer.from(whole.slice(8, end)).toString('latin1');
  // Without its checksum, so that changes are read and not only noticed.
  const unchecked = Buffer.from(header.replace('performers.checksum', 'performers.checksux'), 'latin1');
  const mutated = framed(mutateJson(random, unchecked), whole.slice(end));
  return random.integer(4) === 0 ? mutateBytes(random, mutated, other) : mutated;
}

export const safetensors: Target = {
  name: 'safetensors',
  seeds: async () => [{ [FILE]: ours() }, { [FILE]: foreign() }],
  mutate: (random: Random, seed: Files, other: Files) => ({
    [FILE]: mutateSafetensors(random, seed[FILE]!, other[FILE]),
  }),
  start: async () => async (files) => {
    decodeSafetensors(files[FILE]!, FILE);
  },
};
