import type { Backend, Storage } from '../backend/types.ts';
import { ShapeError } from '../base/errors.ts';
import { atOnce, Pauses, type Pieces, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import { entriesKind, type TensorEntry } from '../storage/safetensors.ts';
import { checkEntries, floatEntry } from '../storage/weights.ts';
import { checkShape } from '../tensor/shape.ts';
import { checkTensors, type Tensor, tensorKind } from '../tensor/tensor.ts';
import { parseTrainingConfiguration } from './configuration.ts';

/** Options of {@link AdamW}; defaults are those of training. */
export interface AdamWOptions {
  /** Default 0.9. */
  readonly beta1?: number | undefined;
  /** Default 0.98. */
  readonly beta2?: number | undefined;
  /** Default 1e-9. */
  readonly epsilon?: number | undefined;
  /** Decoupled; applies to parameters of two or more axes (weights and embeddings), not to biases and norms. Default 0.1. */
  readonly weightDecay?: number | undefined;
}

/** How one update is made. */
export interface UpdateOptions {
  readonly learningRate: number;
  /** Multiplies every gradient, such as a maximum over {@link globalNorm} for clipping. Default 1. */
  readonly gradientScale?: number | undefined;
}

/**
 * AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) over named parameters. The moments
 * live on the parameters' backend until {@link AdamW.dispose}.
 */
export class AdamW {
  readonly #moments = new Map<string, { first: Storage; second: Storage }>();
  readonly #options: Required<AdamWOptions>;
  #numSteps = 0;

  /**
   * @param parameters by name, such as `model.parameters()`
   * @throws ConfigurationError for unknown options; DataError for parameters that are no tensors.
   */
  constructor(
    readonly parameters: ReadonlyMap<string, Tensor>,
    options: AdamWOptions = {},
  ) {
    checkArguments('AdamW', { parameters }, { parameters: option.mapOf(tensorKind) });
    checkTensors('AdamW', Object.fromEntries(parameters));
    checkOptions<AdamWOptions>('AdamW', options, {
      ...{ beta1: option.number, beta2: option.number, epsilon: option.number, weightDecay: option.number },
    });
    const { beta1, beta2, epsilon, weightDecay } = parseTrainingConfiguration(options, 'the options of AdamW');
    this.#options = { beta1, beta2, epsilon, weightDecay };
    for (const [name, { backend, size }] of parameters) {
      this.#moments.set(name, { first: zeros(backend, size), second: zeros(backend, size) });
    }
  }

  /** Updates made so far, which correct the moments' bias. */
  get numSteps(): number {
    return this.#numSteps;
  }

  /**
   * Makes one update, in place.
   *
   * @param gradients one per parameter, in the parameters' order
   * @throws ShapeError when a gradient does not fit its parameter; nothing is then changed.
   */
  step(gradients: readonly Tensor[], update: UpdateOptions): void {
    atOnce(this.stepInPieces(gradients, update));
  }

  /** As {@link step}, in pieces of a parameter: an update that was begun must be ended. */
  *stepInPieces(gradients: readonly Tensor[], update: UpdateOptions): Pieces<void> {
    checkArguments('AdamW.step', { gradients, update }, { gradients: option.list, update: option.object });
    checkOptions<UpdateOptions>('AdamW.step', update, { learningRate: option.number, gradientScale: option.number });
    const { learningRate, gradientScale = 1 } = update;
    checkArguments('AdamW.step', { learningRate }, { learningRate: option.number });
    if (gradients.length !== this.parameters.size) {
      throw new ShapeError(
        `AdamW.step: ${gradients.length} gradients are given for ${this.parameters.size} parameters.`,
      );
    }
    const pairs = [...this.parameters].map(([name, parameter], i) => ({ name, parameter, gradient: gradients[i] }));
    for (const { name, parameter, gradient } of pairs) {
      checkTensors('AdamW.step', { parameter, gradient });
      checkShape(`AdamW.step: the gradient of ${name}`, gradient.shape, parameter.shape);
    }
    this.#numSteps++;
    for (const { name, parameter, gradient } of pairs) {
      const { first, second } = this.#moments.get(name)!;
      parameter.backend.adamW({
        ...this.#options,
        ...{ learningRate, gradientScale, step: this.#numSteps },
        weightDecay: parameter.shape.length >= 2 ? this.#options.weightDecay : 0,
        parameter: parameter.storage,
        gradient: gradient.storage,
        firstMoment: first,
        secondMoment: second,
      });
      yield;
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
   * @param numSteps updates that the moments had seen
   * @throws DataError or ShapeError when a moment is missing, unknown or of another shape; nothing is then changed.
   */
  load(entries: ReadonlyMap<string, TensorEntry>, where: string, numSteps: number): void {
    checkArguments(
      'AdamW.load',
      { entries, where, numSteps },
      { entries: entriesKind, where: option.string, numSteps: option.natural },
    );
    const shapes = new Map<string, readonly number[]>();
    for (const [name, { shape }] of this.parameters) {
      for (const moment of ['first', 'second']) shapes.set(`${name}.${moment}`, shape);
    }
    const found = checkEntries(shapes, entries, where);
    this.#numSteps = numSteps;
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

/**
 * ‖gradients‖₂ over all elements of all tensors.
 *
 * @param options.signal stops it between tensors: its reason is thrown
 */
export async function globalNorm(gradients: readonly Tensor[], options: Stoppable = {}): Promise<number> {
  checkArguments('globalNorm', { gradients }, { gradients: option.list });
  checkTensors('globalNorm', { ...gradients });
  checkOptions<Stoppable>('globalNorm', options, { signal: option.signal });
  const pauses = new Pauses(options.signal);
  let total = 0;
  for (const { backend, storage } of gradients) {
    await pauses.next();
    total += await backend.squaredNorm(storage);
  }
  return Math.sqrt(total);
}

function zeros(backend: Backend, size: number): Storage {
  const storage = backend.allocate(size);
  backend.fill(storage, 0);
  return storage;
}
