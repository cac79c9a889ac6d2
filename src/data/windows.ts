import { permute, Random, streams } from '../tensor/random.ts';
import type { TokenSplit } from './token-store.ts';

/** Rows of tokens with what is to be predicted: at each place, such as the token that follows, or one class per row. */
export interface Batch {
  /** `[batchSize, length]`, row-major. */
  readonly inputs: Int32Array;
  /** `[batchSize, length]`, or `[batchSize]` classes; −1 where there is nothing to predict. */
  readonly targets: Int32Array;
  /** Packed sequences, one array of `length` ids per row: neighbours with equal ids are one sequence, negative = padding. */
  readonly segments?: readonly Int32Array[] | undefined;
  readonly batchSize: number;
  readonly length: number;
}

export interface TrainingWindows {
  /** Windows that an epoch visits, each once. */
  readonly windowsPerEpoch: number;
  /** Batch number `step`: a function of the step alone, so a run resumes exactly from its step. */
  batchAt(step: number): Promise<Batch>;
}

export interface TrainingWindowsOptions {
  /** Rows of a batch. */
  readonly batchSize: number;
  /** Tokens of a row. */
  readonly length: number;
  /** Integer in [0, 2^53). */
  readonly seed: number;
}

/**
 * Windows of `length + 1` tokens (the last is only predicted) that lie end to end from a random offset, drawn anew for
 * each epoch, and come in random order. An epoch leaves out fewer than `2·length` tokens, at the ends; a batch may
 * straddle two epochs.
 *
 * @throws if there are fewer than length + 1 tokens, or a size is not a positive integer
 */
export function trainingWindows(tokens: TokenSplit, options: TrainingWindowsOptions): TrainingWindows {
  const { batchSize, length, seed } = options;
  checkSize(batchSize, 'batchSize');
  checkSize(length, 'length');
  if (tokens.length < length + 1) {
    throw new Error(
      `The training text has ${tokens.length} tokens but one window needs ${length + 1}; give more text or shorten the window.`,
    );
  }
  // One fewer than fit, so that the number does not depend on the offset.
  const windowsPerEpoch = Math.max(1, Math.floor((tokens.length - 1) / length) - 1);
  const numOffsets = tokens.length - windowsPerEpoch * length;
  const order = new Random(seed, streams.dataOrder);

  return {
    windowsPerEpoch,
    batchAt: async (step) => {
      if (!Number.isInteger(step) || step < 0) throw new RangeError(`Step ${step} is not a non-negative integer.`);
      const starts = Array.from({ length: batchSize }, (_, row) => {
        const index = step * batchSize + row;
        const epoch = Math.floor(index / windowsPerEpoch);
        const ofEpoch = order.fork(epoch);
        const offset = ofEpoch.integer(numOffsets);
        return offset + length * permute(index % windowsPerEpoch, windowsPerEpoch, ofEpoch.seed);
      });
      const windows = await Promise.all(starts.map((start) => tokens.read(start, length + 1)));
      return toBatch(windows, length);
    },
  };
}

export interface EvaluationWindows {
  readonly numBatches: number;
  /** Tokens that all batches together predict: all but the first. */
  readonly numPredicted: number;
  /** Batch `index`; the last may have fewer rows. */
  batchAt(index: number): Promise<Batch>;
  /** All batches in order. */
  batches(): AsyncGenerator<Batch, void, undefined>;
}

/**
 * Consecutive windows that predict each token exactly once, except the first of all; each window starts without context.
 * The end of the last is padded with input 0 and target −1.
 *
 * @throws if a size is not a positive integer
 */
export function evaluationWindows(
  tokens: TokenSplit,
  options: { readonly batchSize: number; readonly length: number },
): EvaluationWindows {
  const { batchSize, length } = options;
  checkSize(batchSize, 'batchSize');
  checkSize(length, 'length');
  const numPredicted = Math.max(0, tokens.length - 1);
  const numWindows = Math.ceil(numPredicted / length);
  const numBatches = Math.ceil(numWindows / batchSize);
  const batchAt = async (index: number) => {
    if (!Number.isInteger(index) || index < 0 || index >= numBatches) {
      throw new RangeError(`Batch ${index} is not one of the ${numBatches} evaluation batches.`);
    }
    const first = index * batchSize;
    const rows = Math.min(batchSize, numWindows - first);
    const windows = Array.from({ length: rows }, (_, row) => {
      const start = (first + row) * length;
      return tokens.read(start, Math.min(length + 1, tokens.length - start));
    });
    return toBatch(await Promise.all(windows), length);
  };
  return {
    numBatches,
    numPredicted,
    batchAt,
    batches: async function* () {
      for (let index = 0; index < numBatches; index++) yield await batchAt(index);
    },
  };
}

function toBatch(windows: readonly Int32Array[], length: number): Batch {
  const rows = windows.length;
  const inputs = new Int32Array(rows * length);
  const targets = new Int32Array(rows * length).fill(-1);
  windows.forEach((window, row) => {
    inputs.set(window.subarray(0, window.length - 1), row * length);
    targets.set(window.subarray(1), row * length);
  });
  return { inputs, targets, batchSize: rows, length };
}

function checkSize(value: number, name: string): void {
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`${name} is ${value}; use a positive integer.`);
}
