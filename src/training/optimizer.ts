import type { Backend, Storage } from '../backend/types.ts';
import type { TensorEntry } from '../storage/safetensors.ts';
import { checkEntries, floatEntry } from '../storage/weights.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled; applies to parameters of two or more axes (weights and embeddings), not to biases and norms. */
  readonly weightDecay: number;
}

/** How one update is made. */
export interface UpdateOptions {
  /** 1-based number of the update, for bias correction. */
  readonly step: number;
  readonly learningRate: number;
  /** Multiplies every gradient. */
  readonly gradientScale: number;
}

/**
 * AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) over named parameters. The moments
 * live on the parameters' backend until {@link AdamW.dispose}.
 */
export class AdamW {
  readonly #moments = new Map<string, { first: Storage; second: Storage }>();

  constructor(
    readonly parameters: ReadonlyMap<string, Tensor>,
    readonly options: AdamWOptions,
  ) {
    for (const [name, { backend, size }] of parameters) {
      this.#moments.set(name, { first: zeros(backend, size), second: zeros(backend, size) });
    }
  }

  /** @param gradients one per parameter, in the parameters' order */
  update(gradients: readonly Tensor[], update: UpdateOptions): void {
    let index = 0;
    for (const [name, parameter] of this.parameters) {
      const { first, second } = this.#moments.get(name)!;
      parameter.backend.adamW({
        ...this.options,
        ...update,
        weightDecay: parameter.shape.length >= 2 ? this.options.weightDecay : 0,
        parameter: parameter.storage,
        gradient: gradients[index++]!.storage,
        firstMoment: first,
        secondMoment: second,
      });
    }
  }

  /** Copies the moments out, as `NAME.first` and `NAME.second`. */
  async save(): Promise<Map<string, TensorEntry>> {
    const entries = new Map<string, TensorEntry>();
    for (const [name, { backend, shape }] of this.parameters) {
      const { first, second } = this.#moments.get(name)!;
      entries.set(`${name}.first`, floatEntry(shape, await backend.read(first)));
      entries.set(`${name}.second`, floatEntry(shape, await backend.read(second)));
    }
    return entries;
  }

  /**
   * Copies saved moments in.
   * @param where names the file in errors
   * @throws one sentence when a moment is missing, unknown or of another shape.
   */
  load(entries: ReadonlyMap<string, TensorEntry>, where: string): void {
    const shapes = new Map<string, readonly number[]>();
    for (const [name, { shape }] of this.parameters) {
      for (const moment of ['first', 'second']) shapes.set(`${name}.${moment}`, shape);
    }
    const found = checkEntries(shapes, entries, where);
    for (const [name, { backend }] of this.parameters) {
      const { first, second } = this.#moments.get(name)!;
      backend.write(first, found.get(`${name}.first`)!);
      backend.write(second, found.get(`${name}.second`)!);
    }
  }

  dispose(): void {
    for (const [name, { backend }] of this.parameters) {
      const { first, second } = this.#moments.get(name)!;
      backend.release(first);
      backend.release(second);
    }
  }
}

/** ‖gradients‖₂ over all elements of all tensors. */
export async function globalNorm(gradients: readonly Tensor[]): Promise<number> {
  let total = 0;
  for (const { backend, storage } of gradients) total += await backend.squaredNorm(storage);
  return Math.sqrt(total);
}

function zeros(backend: Backend, size: number): Storage {
  const storage = backend.allocate(size);
  backend.fill(storage, 0);
  return storage;
}
