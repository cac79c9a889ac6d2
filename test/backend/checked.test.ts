import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NumberArray } from '../../src/backend/numbers.ts';
import { exponentialEstimator } from '../../src/backend/projection-sizes.ts';
import type { Backend, Storage } from '../../src/backend/types.ts';
import { DataError, LifetimeError, OutOfMemoryError, ShapeError } from '../../src/base/errors.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { compiledBackends } from './available.ts';

const names = [...compiledBackends, 'reference'] as const;

/** Memory that can grow. */
const growing = (bytes: number): ArrayBuffer => Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 64 }]);

describe.each(names)('%s', (name) => {
  let backend: Backend;
  let other: Backend;
  beforeAll(async () => {
    backend = await createBackend({ backend: name, numThreads: 2 });
    other = await createBackend({ backend: name, numThreads: 1 });
  });
  afterAll(() => {
    backend.close();
    other.close();
  });
  const zeros = (length: number): Storage => backend.upload(new Float32Array(length));
  const numbersOf = async (storage: Storage): Promise<number[]> => [...(await backend.read(storage))];

  // 11 rows of 3; the neighbours on both sides belong to others.
  test.each([11, 100_000, -1, 2 ** 31 - 1, -(2 ** 31)])(
    'id %i of 11 is refused before anything is written',
    async (id) => {
      const whole = backend.upload(new Float32Array(3 * 31).fill(7));
      const table = backend.slice(whole, 30, 33);
      const ids = backend.upload(Int32Array.of(10, id, 0));
      const out = backend.upload(new Float32Array(9).fill(5));
      const sentence = (what: string) =>
        new DataError(
          `${what}: id ${id} at position 1 is not one of the 11 rows of the table: ids are whole numbers from 0 to 10.`,
        );
      const sizes = { count: 3, width: 3 };
      expect(() => backend.embedding({ table, ids, out, ...sizes })).toThrow(sentence('embedding'));
      expect(() => backend.embeddingBackward({ dTable: table, ids, dOut: out, ...sizes })).toThrow(
        sentence('embeddingBackward'),
      );
      expect(await numbersOf(out)).toEqual(new Array(9).fill(5));
      expect(await numbersOf(whole)).toEqual(new Array(93).fill(7));
    },
  );

  test.each([11, 1e8, 2 ** 31 - 1])('target %i of 11 is refused before anything is written', async (target) => {
    const [logits, loss] = [zeros(22), zeros(2)];
    const targets = backend.upload(Int32Array.of(-1, target));
    const args = { logits, targets, loss, dLogits: logits, rows: 2, vocabSize: 11, gradientScale: 1 };
    expect(() => backend.softmaxCrossEntropy(args)).toThrow(
      `softmaxCrossEntropy: target ${target} at position 1 is not one of the 11 classes: ` +
        'targets are whole numbers below 11, and negative where none counts.',
    );
    expect(await numbersOf(logits)).toEqual(new Array(22).fill(0));
  });

  test('more memory than there is is refused at once', () => {
    expect(() => backend.allocate(2 ** 50)).toThrow(OutOfMemoryError);
    if (name === 'reference') expect(() => backend.allocate(2 ** 31)).toThrow(OutOfMemoryError);
  });

  test('memory that holds no ids yet is not trusted', () => {
    const ids = backend.allocate(4, 'int32');
    backend.fill(ids, 99);
    const args = { table: zeros(6), ids, out: zeros(8), count: 4, width: 2 };
    expect(() => backend.embedding(args)).toThrow(/id 99 at position 0/);
    backend.write(ids, [0, 1, 2, 2]);
    backend.embedding(args);
    backend.write(ids, [3], 2);
    expect(() => backend.embedding(args)).toThrow(/id 3 at position 2 is not one of the 3 rows/);
  });

  test.each([
    [[1, 0, 2, 0, 2, 0], 'a batch row that does not exist'],
    [[-1, 0, 2, 0, 2, 0], 'a negative batch row'],
    [[0, 1, 2, 0, 2, 0], 'queries that reach too far'],
    [[0, 0, 2, 0, 3, 0], 'keys that reach too far'],
    [[0, -1, 2, 0, 2, 0], 'a negative start'],
    [[0, 0, -2, 0, 2, 0], 'a negative length'],
  ])('sequences %j are refused: %s', (sequence) => {
    const [q, k, v, out, logSumExp] = [4, 4, 4, 4, 2].map(zeros);
    const sizes = { heads: 1, lengthQ: 2, lengthK: 2, dHead: 2, dValue: 2, layout: 'bhld', numSequences: 1 } as const;
    const sequences = backend.upload(Int32Array.from(sequence));
    const softmax = { causal: true, scale: 1, normalise: true };
    expect(() => backend.softmaxAttention({ ...sizes, q, k, v, sequences, out, logSumExp, ...softmax })).toThrow(
      /softmaxAttention: (sequence 0 is|q has|k has)/,
    );
  });

  test('rotations of rows that a head does not have are refused', () => {
    const estimator = { ...exponentialEstimator(2), form: 'givens', factors: 1 } as const;
    const sizes = { batch: 1, heads: 1, length: 1, dHead: 2, layout: 'bhld' } as const;
    for (const [i, j] of [
      [0, 2],
      [-1, 0],
      [0, 1e9],
      [Number.NaN, 0],
      [0.5, 1],
    ]) {
      const projection = backend.upload(Float32Array.of(i, j, 1, 0, 1, 1));
      const args = { ...estimator, ...sizes, projection, x: zeros(2), out: zeros(2) };
      expect(() => backend.favorFeatures(args)).toThrow(/rotation 0 of the projection turns rows/);
    }
  });

  test('an order that lshSort did not make is refused', () => {
    const sizes = { numSequences: 1, batch: 1, heads: 1, length: 4, dHead: 2, dValue: 2, layout: 'bhld' } as const;
    const arrays = { q: zeros(8), v: zeros(8), out: zeros(8), references: zeros(4), sums: zeros(4) };
    const sequences = backend.upload(Int32Array.of(0, 0, 4, 0, 4, 0));
    const order = backend.upload(Int32Array.of(0, 1, 2, 3));
    const chunks = backend.upload(Int32Array.of(0, 0, 1, 1));
    const args = {
      ...sizes,
      ...arrays,
      sequences,
      order,
      chunks,
      causal: false,
      chunkLength: 2,
      numHashes: 1,
      scale: 1,
    };
    backend.lshAttention(args);
    for (const [places, ids] of [
      [
        [0, 1, 2, 4],
        [0, 0, 1, 1],
      ],
      [
        [0, 1, 2, -1],
        [0, 0, 1, 1],
      ],
      [
        [0, 0, 2, 3],
        [0, 0, 1, 1],
      ],
      [
        [0, 1, 2, 3],
        [0, 0, 0, 1],
      ],
    ]) {
      backend.write(order, places);
      backend.write(chunks, ids);
      expect(() => backend.lshAttention(args)).toThrow(/not those of lshSort/);
    }
  });

  test.each<[string, (order: Storage) => void]>([
    ['write', (order) => backend.write(order, [0], 3)],
    ['copy', (order) => backend.copy(backend.upload(Int32Array.of(0, 1, 2, 2)), order)],
    ['fill', (order) => backend.fill(order, 0)],
  ])('an order that %s changes after lshSort is read', (_, change) => {
    const sizes = { numSequences: 1, batch: 1, heads: 1, length: 4, dHead: 2, dValue: 2, layout: 'bhld' } as const;
    const arrays = { q: zeros(8), v: zeros(8), out: zeros(8), references: zeros(4), sums: zeros(4) };
    const [order, chunks] = [0, 1].map(() => backend.allocate(4, 'int32'));
    const sorting = { rotations: zeros(4), numRotations: 2, numBuckets: 4 };
    const args = (batchRow: number) => {
      const sequences = backend.upload(Int32Array.of(batchRow, 0, 4, 0, 4, 0));
      return { ...sizes, ...arrays, sequences, order, chunks, causal: false, chunkLength: 2, numHashes: 1, scale: 1 };
    };
    const sorted = args(0);
    backend.lshSort({ ...sorted, ...sorting });
    backend.lshAttention(sorted);
    change(order);
    expect(() => backend.lshAttention(sorted)).toThrow(/not those of lshSort/);
    expect(() => backend.lshSort({ ...args(1), ...sorting })).toThrow(/lshSort: sequence 0 is \[1, 0, 4/);
  });

  test('positions end before 2^31', async () => {
    const sizes = { batch: 1, heads: 1, length: 3, dHead: 2, layout: 'bhld', base: 10_000, inverse: false } as const;
    const [x, out] = [backend.upload([1, 0, 1, 0, 1, 0]), zeros(6)];
    backend.rotary({ ...sizes, x, out, offset: 2 ** 31 - 4 });
    const expected = [0, 1, 2].flatMap((i) => [Math.cos(2 ** 31 - 4 + i), Math.sin(2 ** 31 - 4 + i)]);
    (await numbersOf(out)).forEach((value, i) => void expect(value).toBeCloseTo(expected[i], 5));
    expect(() => backend.rotary({ ...sizes, x, out, offset: 2 ** 31 - 3 })).toThrow(/rotary: offset is 2147483645/);
  });

  test('what does not fit is neither written nor sliced', async () => {
    const storage = backend.upload([1, 2, 3, 4]);
    for (const offset of [3, -1, 0.5, Number.NaN]) {
      expect(() => backend.write(storage, [7, 8], offset)).toThrow(ShapeError);
      expect(() => backend.slice(storage, offset, 2)).toThrow(ShapeError);
    }
    expect(() => backend.copy(zeros(5), storage)).toThrow(ShapeError);
    expect(await numbersOf(storage)).toEqual([1, 2, 3, 4]);
    backend.write(storage, [7, 8], 2);
    expect(await numbersOf(storage)).toEqual([1, 2, 7, 8]);
  });

  test('memory that was transferred away is refused', () => {
    const data = Float32Array.of(1, 2);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    // Older engines do not say so.
    if (!('detached' in ArrayBuffer.prototype)) return;
    expect(() => backend.upload(data)).toThrow(
      'upload: the memory of the Float32Array has been transferred away; give one that still holds numbers.',
    );
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40, '2', undefined, null, 3n])(
    'sizes of %o are refused',
    (size) => {
      const [a, b, c] = [zeros(4), zeros(4), zeros(4)];
      for (const key of ['m', 'n', 'k', 'batch', 'lda', 'ldb', 'ldc', 'strideA', 'strideB', 'strideC']) {
        if (size === undefined && !['m', 'n', 'k'].includes(key)) continue;
        const args = { a, b, c, m: 2, n: 2, k: 2, [key]: size };
        expect(() => backend.gemm(args as never), key).toThrow(ShapeError);
      }
    },
  );

  test.each<[string, NumberArray, 'float32' | 'int32' | undefined, Storage['type'], number[]]>([
    ['a plain array', [1, 0.5, -2], undefined, 'float32', [1, 0.5, -2]],
    ['a plain array as ids', [1, 0, 2], 'int32', 'int32', [1, 0, 2]],
    ['bigint as other libraries give ids', BigInt64Array.of(101n, -5n, 102n), undefined, 'int32', [101, -5, 102]],
    ['BigUint64Array', BigUint64Array.of(7n), undefined, 'int32', [7]],
    ['an array of bigint', [3n, 4n], undefined, 'int32', [3, 4]],
    ['Uint8Array', Uint8Array.of(0, 255), undefined, 'int32', [0, 255]],
    ['Uint8ClampedArray', Uint8ClampedArray.of(3), undefined, 'int32', [3]],
    ['Int16Array', Int16Array.of(-3, 4), undefined, 'int32', [-3, 4]],
    ['Uint16Array', Uint16Array.of(65_535), undefined, 'int32', [65_535]],
    ['Uint32Array', Uint32Array.of(2 ** 31 - 1), undefined, 'int32', [2 ** 31 - 1]],
    ['Uint8Array as floats', Uint8Array.of(1, 2), 'float32', 'float32', [1, 2]],
    [
      'Float64Array',
      Float64Array.of(0.5, Number.NaN, Number.NEGATIVE_INFINITY),
      undefined,
      'float32',
      [0.5, Number.NaN, Number.NEGATIVE_INFINITY],
    ],
    ['whole floats as ids', Float32Array.of(1, 2), 'int32', 'int32', [1, 2]],
    ['shared memory', new Float32Array(new SharedArrayBuffer(8)), undefined, 'float32', [0, 0]],
    ['memory that can grow', new Int32Array(growing(8)), undefined, 'int32', [0, 0]],
    ['a part of an array', new Float32Array([1, 2, 3, 4]).subarray(1, 3), undefined, 'float32', [2, 3]],
  ])('%s is taken in exactly', async (_, data, type, wanted, numbers) => {
    const storage = backend.upload(data, type);
    expect([storage.type, await numbersOf(storage)]).toEqual([wanted, numbers]);
    const target = backend.allocate(numbers.length, wanted);
    backend.write(target, data);
    expect(await numbersOf(target)).toEqual(numbers);
  });

  test.each<[string, unknown, 'float32' | 'int32' | undefined]>([
    ['bigint beyond int32', BigInt64Array.of(1n, 2n ** 31n), undefined],
    ['Uint32Array beyond int32', Uint32Array.of(2 ** 31), undefined],
    ['integers that float32 rounds', Int32Array.of(2 ** 24 + 1), 'float32'],
    ['bigint that float32 rounds', [2n ** 60n + 1n], 'float32'],
    ['a number beyond float32', Float64Array.of(1e39), undefined],
    ['a fraction as an id', [1, 1.5], 'int32'],
    ['NaN as an id', [1, Number.NaN], 'int32'],
    ['a plain number beyond int32', [2 ** 31], 'int32'],
    ['strings', ['1', '2'], undefined],
    ['a hole', [1, undefined, 2], undefined],
    ['nested arrays', [[1], [2]], undefined],
    ['nothing', undefined, undefined],
    ['null', null, undefined],
    ['a string', '12', undefined],
    ['a buffer without a type', new ArrayBuffer(8), undefined],
    ['a DataView', new DataView(new ArrayBuffer(8)), undefined],
    ['an object like an array', { length: 2, 0: 1, 1: 2 }, undefined],
    ['a forged typed array', Object.create(Float32Array.prototype), undefined],
  ])('%s is refused in one sentence', async (_, data, type) => {
    expect(() => backend.upload(data as never, type)).toThrow(DataError);
    const target = backend.upload(type === 'int32' ? Int32Array.of(4, 4) : Float32Array.of(4, 4));
    if (type === undefined && ArrayBuffer.isView(data) && !(data instanceof DataView)) return;
    expect(() => backend.write(target, data as never)).toThrow(DataError);
    expect(await numbersOf(target)).toEqual([4, 4]);
  });

  test('an array whose length lies is measured by its memory', () => {
    const data = Float32Array.of(1, 2, 3, 4);
    Object.defineProperty(data, 'length', { value: 1 });
    expect(backend.upload(data).length).toBe(4);
    expect(() => backend.write(zeros(1), data)).toThrow(/4 numbers at 0 do not fit a storage of 1/);
  });

  test('what is released, closed, foreign or no storage is refused', async () => {
    const [x, y] = [zeros(4), zeros(4)];
    const part = backend.slice(x, 1, 2);
    backend.release(x);
    for (const dead of [x, part]) {
      expect(() => backend.fill(dead, 1)).toThrow(LifetimeError);
      expect(() => backend.slice(dead, 0, 1)).toThrow(LifetimeError);
      await expect(backend.read(dead)).rejects.toThrow(LifetimeError);
      expect(() => backend.release(dead)).toThrow(LifetimeError);
    }
    const foreign = other.upload([1, 2, 3, 4]);
    expect(() => backend.add(foreign, y, y)).toThrow(LifetimeError);
    expect(() => backend.release(foreign)).toThrow(LifetimeError);
    for (const wrong of [undefined, null, 4, new Float32Array(4), [1, 2, 3, 4]]) {
      expect(() => backend.add(wrong as never, y, y)).toThrow(DataError);
    }
    expect(() => backend.fill({ type: 'float32', length: 9 }, 1)).toThrow(LifetimeError);
    expect(() => Object.assign(y, { length: 1000 })).toThrow(TypeError);
    const closed = await createBackend({ backend: name, numThreads: 1 });
    const mine = closed.upload([1]);
    closed.close();
    expect(() => closed.fill(mine, 1)).toThrow(LifetimeError);
    expect(() => closed.allocate(1)).toThrow(LifetimeError);
    expect(() => closed.upload([1])).toThrow(LifetimeError);
    expect(() => closed.trim()).toThrow(LifetimeError);
    await expect(closed.read(mine)).rejects.toThrow(LifetimeError);
    closed.release(mine);
  });
});
