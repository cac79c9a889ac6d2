import { batchKind } from './windows.ts';
/**
 * Masked-language training (Devlin et al. 2019, section 3.1): some tokens are hidden, and the model predicts these from
 * all the others.
 */

import { ConfigurationError, DataError } from '../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { Random, streams } from '../../base/random.ts';
import type { Batch, EvaluationWindows, TrainingWindows } from './windows.ts';

export interface MaskingOptions {
  /** Probability that a token is to be predicted. Default 0.15. */
  readonly fraction?: number;
  /** Id of the mask token. */
  readonly mask: number;
  /** Random tokens are drawn from the ids `0 … vocabSize − 1` that are not special. */
  readonly vocabSize: number;
  /** Ids that are never hidden nor drawn, such as separators; the mask token is one of them without being named. */
  readonly specials?: Iterable<number>;
  /** Integer in [0, 2^53). */
  readonly seed: number;
}

/** Of the tokens to be predicted: the share that the mask token replaces, and that a random token replaces. */
const maskShare = 0.8;
const randomShare = 0.1;

/** Hides tokens of batches whose targets are the inputs themselves. */
export class Masking {
  readonly #options: MaskingOptions;
  readonly #fraction: number;
  readonly #specials: ReadonlySet<number>;
  readonly #ordinary: Int32Array;
  readonly #random: Random;

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is Masking {
    return typeof value === 'object' && value !== null && #options in value;
  }

  /** @throws ConfigurationError when the fraction is not in (0, 1], the mask token is no id, or all ids are special */
  constructor(options: MaskingOptions) {
    checkArguments('Masking', { options }, { options: option.plain });
    checkOptions<MaskingOptions>('Masking', options, {
      fraction: option.number,
      mask: option.number,
      vocabSize: option.upTo(2 ** 24),
      specials: option.iterable,
      seed: option.number,
    });
    const { fraction = 0.15, mask, vocabSize, specials = [], seed } = options;
    if (!(fraction > 0 && fraction <= 1)) {
      throw new ConfigurationError(
        `The fraction of masked tokens is ${fraction}; use a number above 0, at most 1, such as 0.15.`,
      );
    }
    if (!Number.isInteger(mask) || mask < 0)
      throw new ConfigurationError(`The mask token is ${mask}; give the id of one.`);
    this.#options = options;
    this.#fraction = fraction;
    this.#specials = new Set([mask, ...specials]);
    this.#ordinary = Int32Array.from({ length: vocabSize }, (_, id) => id).filter((id) => !this.#specials.has(id));
    if (this.#ordinary.length === 0) throw new DataError('Every token is special, so none can be masked; name fewer.');
    this.#random = new Random(seed, streams.masking);
  }

  /**
   * Each token that is neither special nor without a target is to be predicted with probability `fraction`, on its own.
   * The token then becomes the mask token (80 %), a random token (10 %) or stays (10 %). All other targets become −1.
   * What happens to a row depends on the seed and the row's number alone.
   *
   * @param firstRow number of the batch's first row
   */
  apply(batch: Batch, firstRow: number): Batch {
    checkArguments('Masking.apply', { batch, firstRow }, { batch: batchKind, firstRow: option.number });
    const { batchSize, length } = batch;
    const inputs = batch.inputs.slice();
    const targets = batch.targets.slice();
    for (let row = 0; row < batchSize; row++) {
      const random = this.#random.fork(firstRow + row);
      for (let i = row * length; i < (row + 1) * length; i++) {
        const isChosen = random.uint32() < this.#fraction * 2 ** 32;
        if (targets[i] < 0 || this.#specials.has(targets[i]) || !isChosen) targets[i] = -1;
        else inputs[i] = this.#shown(inputs[i], random);
      }
    }
    return { ...batch, inputs, targets };
  }

  /** What stands for a token that is to be predicted. */
  #shown(token: number, random: Random): number {
    const draw = random.uniform();
    if (draw < maskShare) return this.#options.mask;
    return draw < maskShare + randomShare ? this.#ordinary[random.integer(this.#ordinary.length)] : token;
  }
}

/** Training batches with tokens hidden, other ones in every epoch. `windows` must have the inputs for targets. */
export function maskedTraining<T extends TrainingWindows>(windows: T, masking: Masking): T {
  checkArguments('maskedTraining', { windows, masking }, { windows: windowsKind, masking: maskingKind });
  return {
    ...windows,
    batchAt: async (step: number) => {
      const batch = await windows.batchAt(step);
      return masking.apply(batch, step * batch.batchSize);
    },
  };
}

/** Held-out batches with the same tokens hidden at every evaluation, whatever the size of the batches. */
export function maskedEvaluation(
  windows: EvaluationWindows,
  masking: Masking,
  batchSize: number,
): Omit<EvaluationWindows, 'numPredicted'> {
  checkArguments(
    'maskedEvaluation',
    { windows, masking, batchSize },
    { windows: windowsKind, masking: maskingKind, batchSize: option.count },
  );
  const { numBatches } = windows;
  const batchAt = async (index: number) => masking.apply(await windows.batchAt(index), index * batchSize);
  return {
    numBatches,
    batchAt,
    batches: async function* () {
      for (let index = 0; index < numBatches; index++) yield await batchAt(index);
    },
  };
}

const windowsKind = option.having('windows, such as trainingWindows() gives', { batchAt: option.function });

const maskingKind = option.made('a Masking', Masking.is);
