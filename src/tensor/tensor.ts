import type { Backend, DataType, FloatArray, Storage } from '../backend/types.ts';
import { LifetimeError, ShapeError } from '../base/errors.ts';
import { adopt, type Disposable, keep } from './scope.ts';
import { formatShape, type Shape, sizeOf } from './shape.ts';

/** Memory shared by a tensor and its reshaped views; released with the last of them. */
interface SharedStorage {
  readonly storage: Storage;
  references: number;
}

/**
 * A dense, row-major array on a backend. Its numbers come out only through {@link Tensor.data}. A tensor made inside a
 * `scope` lives until the scope ends; one made outside lives until `dispose()`.
 */
export class Tensor implements Disposable {
  private constructor(
    readonly backend: Backend,
    private readonly shared: SharedStorage,
    readonly shape: Shape,
  ) {
    shared.references++;
    adopt(this);
  }

  /** Wraps memory that the tensor then owns. */
  static own(backend: Backend, storage: Storage, shape: Shape): Tensor {
    if (storage.length !== sizeOf(shape)) {
      throw new ShapeError(
        `A tensor of shape ${formatShape(shape)} needs ${sizeOf(shape)} elements; got ${storage.length}.`,
      );
    }
    return new Tensor(backend, { storage, references: 0 }, shape);
  }

  /** New memory, contents undefined. */
  static empty(backend: Backend, shape: Shape, type: DataType = 'float32'): Tensor {
    return Tensor.own(backend, backend.allocate(sizeOf(shape), type), shape);
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

  get size(): number {
    return sizeOf(this.shape);
  }

  /** True when no other tensor shares this memory. */
  get isSoleOwner(): boolean {
    return this.shared.references === 1;
  }

  /** A second handle on the same memory, under another shape of equal size. Not recorded on a tape: see ops/reshape. */
  view(shape: Shape = this.shape): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new ShapeError(
        `A tensor of shape ${formatShape(this.shape)} cannot be viewed as ${formatShape(shape)}: the sizes differ.`,
      );
    }
    void this.storage;
    return new Tensor(this.backend, this.shared, shape);
  }

  /** The numbers, row-major, once all earlier work is done. Float64Array on the reference backend. */
  data(): Promise<FloatArray> {
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
 * @param data row-major; Int32Array gives an int32 tensor (token ids), floats give float32.
 * @throws when `data` does not have as many elements as `shape`.
 */
export function tensor(backend: Backend, data: Float32Array | Float64Array | Int32Array, shape: Shape): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(`A tensor of shape ${formatShape(shape)} needs ${sizeOf(shape)} numbers; got ${data.length}.`);
  }
  return Tensor.own(backend, backend.upload(data), shape);
}
