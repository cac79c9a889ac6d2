import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/crc32.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type TensorArrays,
  type TensorEntry,
  type TensorType,
} from '../../src/storage/safetensors.ts';

const CONSTRUCTORS: { [T in TensorType]: { new (buffer: ArrayBuffer): TensorArrays[T]; BYTES_PER_ELEMENT: number } } = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

const entry = fc
  .tuple(
    fc.constantFrom(...(Object.keys(CONSTRUCTORS) as TensorType[])),
    fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
  )
  .chain(([dtype, shape]) => {
    const bytes = shape.reduce((a, b) => a * b, 1) * CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;
    return fc
      .uint8Array({ minLength: bytes, maxLength: bytes })
      .map((raw) => ({ dtype, shape, data: new CONSTRUCTORS[dtype](raw.slice().buffer) }) as TensorEntry);
  });
const name = fc
  .oneof(fc.string(), fc.constantFrom('__proto__', '7', '"', 'é', '重み'))
  .filter((n) => n !== '__metadata__');
const tensorMap = fc.array(fc.tuple(name, entry), { maxLength: 6 }).map((pairs) => new Map(pairs));

const raw = ({ data }: TensorEntry): number[] => [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
const plain = (tensors: ReadonlyMap<string, TensorEntry>): unknown[] =>
  [...tensors].map(([key, t]) => [key, t.dtype, [...t.shape], raw(t)]).sort();

/** A file with the given header object and data, as another writer might make it. */
function foreign(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(Uint8Array.from(data), 8 + text.length);
  return file;
}

const sample = (): Map<string, TensorEntry> =>
  new Map<string, TensorEntry>([
    ['flags', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ['weight', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1.5, -2, 3, 0, 5, -0) }],
    ['none', { dtype: 'I32', shape: [0, 7], data: new Int32Array(0) }],
    ['moment', { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) }],
  ]);

describe('safetensors', () => {
  it('gives back every type, shape, name and bit, and the metadata', () => {
    fc.assert(
      fc.property(tensorMap, fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        const decoded = decodeSafetensors(encodeSafetensors(tensors, metadata), 'x');
        expect(plain(decoded.tensors)).toEqual(plain(tensors));
        expect(Object.entries(decoded.metadata).sort()).toEqual(Object.entries(metadata).sort());
      }),
      { numRuns: 300 },
    );
  });

  it('writes the bytes that the format describes, each tensor aligned', () => {
    const file = encodeSafetensors(sample(), { kind: 'test' });
    const view = new DataView(file.buffer);
    const length = Number(view.getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
    expect(length % 8).toBe(0);
    expect(Object.keys(header)).toEqual(['__metadata__', 'flags', 'weight', 'none', 'moment']);
    expect(header.__metadata__).toMatchObject({ kind: 'test' });
    expect(header.moment).toEqual({ dtype: 'F64', shape: [], data_offsets: [0, 8] });
    expect(header.weight).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [8, 32] });
    expect(header.none).toEqual({ dtype: 'I32', shape: [0, 7], data_offsets: [32, 32] });
    expect(header.flags).toEqual({ dtype: 'U8', shape: [3], data_offsets: [32, 35] });
    expect(view.getFloat64(8 + length, true)).toBe(Math.PI);
    expect(view.getFloat32(8 + length + 12, true)).toBe(-2);
    expect(file.length).toBe(8 + length + 35);
  });

  it('reads from the middle of a larger buffer, without keeping that alive', () => {
    const file = encodeSafetensors(sample());
    const larger = new Uint8Array(file.length + 11);
    larger.set(file, 3);
    for (const view of [larger, Buffer.from(larger.buffer)]) {
      const { tensors } = decodeSafetensors(view.subarray(3, 3 + file.length), 'x');
      expect(plain(tensors)).toEqual(plain(sample()));
      for (const { data } of tensors.values()) expect(data.buffer.byteLength).toBe(data.byteLength);
    }
  });

  it('reads F16 and BF16 as float32, exactly', () => {
    const halves = [0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7e00];
    const halfValues = [
      0,
      -0,
      1,
      -2,
      0.333251953125,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      65504,
      Infinity,
      -Infinity,
      NaN,
    ];
    const brains = [0x3f80, 0xc040, 0x0001, 0x7f80, 0x4049];
    const brainValues = [1, -3, 2 ** -133, Infinity, 3.140625];
    const data = [...new Uint8Array(Uint16Array.from([...halves, ...brains]).buffer)];
    const file = foreign(
      {
        h: { dtype: 'F16', shape: [3, 4], data_offsets: [0, 24] },
        b: { dtype: 'BF16', shape: [5], data_offsets: [24, 34] },
      },
      data,
    );
    const { tensors } = decodeSafetensors(file, 'x');
    expect(tensors.get('h')).toEqual({ dtype: 'F32', shape: [3, 4], data: Float32Array.from(halfValues) });
    expect(tensors.get('b')).toEqual({ dtype: 'F32', shape: [5], data: Float32Array.from(brainValues) });
  });

  it('refuses a file truncated at any length, in one sentence that names it', () => {
    const file = encodeSafetensors(sample());
    for (let length = 0; length < file.length; length++) {
      expect(() => decodeSafetensors(file.subarray(0, length), 'dir/model.safetensors')).toThrow(
        /^dir\/model\.safetensors is damaged \(.*\): restore it from a copy or use an earlier checkpoint\.$/,
      );
    }
    expect(() => decodeSafetensors(Uint8Array.of(...file, 0), 'x')).toThrow(
      /describes 35 bytes of data, but 36 follow/,
    );
  });

  it('refuses a flip of any bit, unless what it yields is right', () => {
    const file = encodeSafetensors(sample(), { kind: 'test' });
    let harmless = 0;
    for (let bit = 0; bit < file.length * 8; bit++) {
      const flipped = file.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      let tensors: Map<string, TensorEntry>;
      try {
        ({ tensors } = decodeSafetensors(flipped, 'm'));
      } catch (error) {
        expect((error as Error).message).toMatch(/^m is damaged \(/);
        continue;
      }
      harmless++;
      expect(plain(tensors)).toEqual(plain(sample()));
    }
    // Only the key that holds the checksum can be hurt unnoticed: the rest is then as it was.
    expect(harmless).toBeLessThanOrEqual('__metadata__performers.checksum'.length * 8);
  });

  it.each<[string, unknown, number, RegExp]>([
    ['is no JSON', '{"a"', 0, /its header is not JSON/],
    ['is no object', [], 0, /not a JSON object/],
    ['has a gap', { a: { dtype: 'U8', shape: [2], data_offsets: [1, 3] } }, 3, /tensor a starts at 1, not at 0/],
    [
      'overlaps',
      { a: { dtype: 'U8', shape: [2], data_offsets: [0, 2] }, b: { dtype: 'U8', shape: [2], data_offsets: [1, 3] } },
      3,
      /tensor b starts at 1, not at 2/,
    ],
    [
      'disagrees with its shape',
      { a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } },
      4,
      /takes 4 bytes.*needs 8/,
    ],
    ['reaches outside', { a: { dtype: 'U8', shape: [9], data_offsets: [0, 9] } }, 8, /describes 9 bytes.*8 follow/],
    ['has backward offsets', { a: { dtype: 'U8', shape: [0], data_offsets: [4, 2] } }, 4, /no valid data_offsets/],
    ['has a negative size', { a: { dtype: 'U8', shape: [-1, -4], data_offsets: [0, 4] } }, 4, /no valid shape/],
    ['has a huge shape', { a: { dtype: 'U8', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 4] } }, 4, /no valid shape/],
    [
      'has an unknown type',
      { a: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } },
      4,
      /type F8_E4M3.*not one of F/,
    ],
    ['has no type', { a: { shape: [4], data_offsets: [0, 4] } }, 4, /has no dtype/],
    ['has other metadata', { __metadata__: { a: 1 } }, 0, /__metadata__ is not a map of strings/],
  ])('refuses a file that %s', (_, header, dataBytes, message) => {
    expect(() => decodeSafetensors(foreign(header, new Uint8Array(dataBytes)), 'x')).toThrow(message);
  });

  it('refuses a header longer than the format allows without reading it', () => {
    const file = new Uint8Array(64);
    new DataView(file.buffer).setBigUint64(0, 2n ** 63n, true);
    expect(() => decodeSafetensors(file, 'x')).toThrow(/ends before its header of 9223372036854775808 bytes/);
  });

  it('accepts a file without a checksum, spaces after its header, and an empty one', () => {
    const file = foreign(`${JSON.stringify({ a: { dtype: 'I8', shape: [1], data_offsets: [0, 1] } })}   `, [255]);
    expect(decodeSafetensors(file, 'x').tensors.get('a')!.data).toEqual(Int8Array.of(-1));
    expect(decodeSafetensors(foreign({}), 'x').tensors.size).toBe(0);
  });

  it('will not write a tensor whose shape and data disagree, or under the reserved name', () => {
    const data = new Float32Array(5);
    expect(() => encodeSafetensors(new Map([['w', { dtype: 'F32', shape: [2, 3], data }]]))).toThrow(
      /w has 5 elements/,
    );
    expect(() => encodeSafetensors(new Map([['__metadata__', { dtype: 'F32', shape: [5], data }]]))).toThrow(/reserve/);
  });
});

describe('crc32', () => {
  it('agrees with the published check value and with itself in pieces', () => {
    const digits = new TextEncoder().encode('123456789');
    expect(crc32(digits)).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 99 }), fc.nat(99), (bytes, cut) => {
        let bitwise = -1;
        for (const byte of bytes) {
          bitwise ^= byte;
          for (let bit = 0; bit < 8; bit++) bitwise = (bitwise >>> 1) ^ (bitwise & 1 ? 0xedb88320 : 0);
        }
        expect(crc32(bytes)).toBe(~bitwise >>> 0);
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
      }),
    );
  });
});
