import { countOf, type NumberArray, typeOfNumbers } from '../backend/numbers.ts';
import type { Backend, DataType, FloatArray, Storage } from '../backend/types.ts';
import { DataError, LifetimeError, ShapeError } from '../base/errors.ts';
import { checkArguments, describe, type OptionKind, option, reading } from '../base/options.ts';
import { adopt, type Disposable, keep } from './scope.ts';
import { asShape, formatShape, type Shape, sizeOf } from './shape.ts';

/** Memory shared by a tensor and its reshaped views; released with the last of them. */
interface SharedStorage {
  readonly storage: Storage;
  references: number;
  readonly maskKind?: MaskKind | undefined;
}

/**
 * What is known of a tensor of ones and zeros: `leading` if some row along the last axis has a 0 before its first 1.
 */
type MaskKind = 'trailing' | 'leading';

/**
 * A dense, row-major array on a backend. Its numbers come out only through {@link Tensor.data}. A tensor made inside a
 * `scope` lives until the scope ends; a tensor made outside lives until `dispose()`.
 */
export class Tensor implements Disposable {
  /** Number of elements. */
  readonly size: number;

  private constructor(
    readonly backend: Backend,
    private readonly shared: SharedStorage,
    readonly shape: Shape,
  ) {
    this.size = sizeOf(shape);
    shared.references++;
    adopt(this);
  }

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #disposed in value;
  }

  /** Wraps memory that the tensor then owns. */
  static own(backend: Backend, storage: Storage, shape: Shape, maskKind?: MaskKind): Tensor {
    checkBackend('Tensor.own', backend);
    const axes = asShape('Tensor.own', shape);
    const length = reading('Tensor.own', 'the storage', () => storage?.length);
    if (length !== sizeOf(axes)) {
      throw new ShapeError(
        `A tensor of shape ${formatShape(axes)} needs ${sizeOf(axes)} elements; got ${describe(length)}.`,
      );
    }
    return new Tensor(backend, { storage, references: 0, maskKind }, axes);
  }

  /** New memory, contents undefined. */
  static empty(backend: Backend, shape: Shape, type: DataType = 'float32'): Tensor {
    checkBackend('Tensor.empty', backend);
    const axes = asShape('Tensor.empty', shape);
    const storage = backend.allocate(sizeOf(axes), type);
    return new Tensor(backend, { storage, references: 0 }, axes);
  }

  static zeros(backend: Backend, shape: Shape): Tensor {
    const tensor = Tensor.empty(backend, shape);
    backend.fill(tensor.storage, 0);
    return tensor;
  }

  #disposed = false;

  get storage(): Storage {
    if (this.#disposed)
      throw new LifetimeError(
        `A tensor of shape ${formatShape(this.shape)} was used after its disposal; keep() it, or return it from its scope.`,
      );
    return this.shared.storage;
  }

  get type(): DataType {
    return this.shared.storage.type;
  }

  /** Undefined unless the tensor was made, by {@link tensor}, of floats that are all 0 or 1. */
  get maskKind(): MaskKind | undefined {
    return this.shared.maskKind;
  }

  /** True when no other tensor shares this memory. */
  get isSoleOwner(): boolean {
    return this.shared.references === 1;
  }

  /** A second handle on the same memory, under another shape of equal size. Not recorded on a tape: see ops/layout. */
  view(shape: Shape = this.shape): Tensor {
    const axes = shape === this.shape ? shape : asShape('view', shape);
    if (sizeOf(axes) !== this.size) {
      throw new ShapeError(
        `A tensor of shape ${formatShape(this.shape)} cannot be viewed as ${formatShape(axes)}: the sizes differ.`,
      );
    }
    void this.storage;
    return new Tensor(this.backend, this.shared, axes);
  }

  /** The numbers, row-major, once all earlier work is done. Float64Array on the reference backend. */
  async data(): Promise<FloatArray> {
    return this.backend.read(this.storage);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    keep(this);
    if (--this.shared.references === 0) this.backend.release(this.shared.storage);
  }
}

/**
 * Copies numbers to `backend`.
 *
 * @param data row-major. Typed arrays of integers and bigint give an int32 tensor (token ids). Typed arrays of floats
 *   and plain arrays of numbers give float32, to which fractions are rounded.
 * @param type overrides that: `tensor(backend, [5, 2, 9], [1, 3], 'int32')` makes ids of a plain array.
 * @throws ShapeError when `data` does not have as many elements as `shape`
 * @throws DataError when `data` is no array of numbers, or holds a number that the type cannot
 */
export function tensor(backend: Backend, data: NumberArray, shape: Shape, type?: 'float32' | 'int32'): Tensor {
  checkBackend('tensor', backend);
  const axes = asShape('tensor', shape);
  return reading('tensor', 'the numbers', () => tensorOf(backend, data, axes, type));
}

function tensorOf(backend: Backend, data: NumberArray, axes: Shape, type?: 'float32' | 'int32'): Tensor {
  const kind = type ?? typeOfNumbers('tensor', data);
  const count = countOf(data);
  if (count !== sizeOf(axes)) {
    const given = count === undefined ? describe(data) : `${count}`;
    throw new ShapeError(`A tensor of shape ${formatShape(axes)} needs ${sizeOf(axes)} numbers; got ${given}.`);
  }
  const storage = backend.upload(data, kind);
  return Tensor.own(backend, storage, axes, kind === 'float32' ? maskKindOf(data, axes) : undefined);
}

export const tensorKind: OptionKind = option.made('a Tensor', Tensor.is);

export const backendKind: OptionKind = option.having('a backend, such as createBackend() resolves to', {
  name: option.string,
  ...Object.fromEntries(
    ['allocate', 'upload', 'write', 'read', 'slice', 'release', 'copy', 'fill', 'gemm', 'favor'].map((name) => [
      name,
      option.function,
    ]),
  ),
});

/** @throws DataError unless `backend` is one. */
export function checkBackend(where: string, backend: unknown): asserts backend is Backend {
  // Every tensor asks, and the members of an object that passed are still there.
  if (typeof backend === 'object' && backend !== null && backends.has(backend)) return;
  checkArguments(where, { backend }, { backend: backendKind });
  backends.add(backend as Backend);
}

const backends = new WeakSet<object>();

/**
 * Checks that arguments are tensors that are alive and of one backend; undefined ones are left to the caller.
 *
 * @param where names the caller in errors
 * @param tensors by their names
 * @throws DataError for something that is no tensor; LifetimeError for one that was disposed or is of another backend.
 */
export function checkTensors(where: string, tensors: Readonly<Record<string, unknown>>): void {
  let backend: Backend | undefined;
  let first = '';
  for (const name in tensors) {
    const value = tensors[name];
    if (!Tensor.is(value)) {
      const isNumbers = ArrayBuffer.isView(value) || Array.isArray(value);
      const advice = isNumbers ? 'make a tensor with tensor(backend, data, shape)' : 'give a tensor';
      throw new DataError(`${where}: ${name} is ${describe(value)} where a Tensor is wanted; ${advice}.`);
    }
    void value.storage;
    if (backend === undefined) {
      backend = value.backend;
      first = name;
    } else if (value.backend !== backend) {
      throw new LifetimeError(
        `${where}: ${name} belongs to another ${value.backend.name} backend than ${first}, which is on ${backend.name}; ` +
          'upload both to one.',
      );
    }
  }
}

/** The elements of an array by names for {@link checkTensors}, holes included. */
export function namedTensors(name: string, tensors: readonly unknown[]): Record<string, unknown> {
  const named = () => Object.fromEntries(Array.from(tensors, (each, i) => [`${name}[${i}]`, each]));
  return reading(name, 'the array', named);
}

/** Undefined at the first number that is neither 0 nor 1, so this costs nothing for most arrays. */
function maskKindOf(data: NumberArray, shape: Shape): MaskKind | undefined {
  const length = shape.at(-1) ?? 1;
  let kind: MaskKind = 'trailing';
  let hasValid = false;
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0 && data[i] !== 1) return undefined;
    if (i % length === 0) hasValid = false;
    if (data[i] === 1 && !hasValid) {
      if (i % length > 0) kind = 'leading';
      hasValid = true;
    }
  }
  return kind;
}
