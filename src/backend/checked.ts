/**
 * The one door to a backend. What a call is given is checked here, before anything is written, so that no call of any
 * backend leaves its arrays. The checks of kernels follow from their description.
 */
import { LifetimeError, ShapeError } from '../base/errors.ts';
import { describe } from '../base/options.ts';
import { argumentsOf, choice, size } from './checks/arguments.ts';
import type { UncheckedBackend } from './checks/arrays.ts';
import { CheckedOperations } from './checks/operations.ts';
import { type LshSortArguments, MAX_AXES, MAX_SIZE, type StridedCopyArguments } from './kernels.ts';
import { type NumberArray, numbersFor, typeOfNumbers } from './numbers.ts';
import type { DataType, FloatArray, Storage } from './storage.ts';
import type { Backend, BackendName } from './types.ts';

export type { UncheckedBackend };

const TYPES: readonly DataType[] = ['float32', 'float64', 'int32'];

export class CheckedBackend extends CheckedOperations implements Backend {
  readonly name: BackendName;
  readonly description: string;
  readonly numThreads: number;

  constructor(inner: UncheckedBackend) {
    super(inner);
    this.name = inner.name;
    this.description = inner.description;
    this.numThreads = inner.numThreads;
  }

  /** The backend behind the door of `backend`: for the bench alone, which measures what the door costs. */
  static behind(backend: Backend): UncheckedBackend {
    if (backend instanceof CheckedBackend) return backend.inner;
    throw new LifetimeError('This backend has no door: create one with createBackend().');
  }

  get bytesAllocated(): number {
    return this.inner.bytesAllocated;
  }

  // — memory —

  allocate(length: number, type: DataType = 'float32'): Storage {
    choice('allocate', 'type', type, TYPES);
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new ShapeError(`allocate: length is ${describe(length)}; give a whole number of at least 0.`);
    }
    return this.inner.allocate(length, type);
  }

  upload(data: NumberArray, type?: 'float32' | 'int32'): Storage {
    if (type !== undefined) choice('upload', 'type', type, ['float32', 'int32']);
    return this.inner.upload(numbersFor('upload', data, type ?? typeOfNumbers('upload', data)));
  }

  write(storage: Storage, data: NumberArray, offset = 0): void {
    this.any('write', 'storage', storage);
    const numbers = numbersFor('write', data, storage.type);
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + numbers.length > storage.length) {
      throw new ShapeError(
        `write: ${numbers.length} numbers at ${describe(offset)} do not fit a storage of ${storage.length}.`,
      );
    }
    if (storage.type === 'int32') this.integerWrites++;
    this.inner.write(storage, numbers, offset);
  }

  async read(storage: Storage): Promise<FloatArray> {
    this.any('read', 'storage', storage);
    return this.inner.read(storage);
  }

  slice(storage: Storage, offset: number, length: number): Storage {
    this.any('slice', 'storage', storage);
    const isInside =
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= storage.length;
    if (!isInside) {
      throw new ShapeError(
        `slice: ${describe(length)} elements from ${describe(offset)} on are not in a storage of ${storage.length}.`,
      );
    }
    return this.inner.slice(storage, offset, length);
  }

  release(storage: Storage): void {
    this.storage('release', 'storage', storage);
    this.inner.release(storage);
  }

  trim(): void {
    this.inner.trim();
  }

  close(): void {
    this.inner.close();
  }

  copy(source: Storage, target: Storage): void {
    this.any('copy', 'source', source);
    this.any('copy', 'target', target);
    if (source.type !== target.type || source.length > target.length) {
      throw new ShapeError(
        `copy: ${source.length} elements of ${source.type} do not fit ${target.length} of ${target.type}.`,
      );
    }
    if (target.type === 'int32') this.integerWrites++;
    this.inner.copy(source, target);
  }

  /** Integers too, other than the kernel. */
  override fill(x: Storage, value: number): void {
    this.any('fill', 'x', x);
    if (x.type !== 'int32') {
      super.fill(x, value);
      return;
    }
    size('fill', 'value', value, -MAX_SIZE - 1, MAX_SIZE);
    this.integerWrites++;
    this.inner.fill(x, value);
  }

  /** Integers too. */
  override stridedCopy(args: StridedCopyArguments): void {
    const where = 'stridedCopy';
    argumentsOf(where, args);
    this.any(where, 'out', args.out);
    if (args.out.type !== 'int32') {
      super.stridedCopy(args);
      return;
    }
    size(where, 'numAxes', args.numAxes, 1, MAX_AXES);
    size(where, 'count', args.count, 0, MAX_SIZE);
    const { span1, span2 } = this.copyStrides(where, args);
    this.array(where, 'x', args.x, 'int32', span1);
    this.array(where, 'out', args.out, 'int32', span2);
    this.integerWrites++;
    if (args.count > 0) this.inner.stridedCopy(args);
  }

  override lshSort(args: LshSortArguments): void {
    super.lshSort(args);
    this.rememberOrder(args);
  }
}
