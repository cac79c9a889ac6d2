import { ConfigurationError, DataError } from '../../base/errors.ts';
import {
  checkArguments,
  checkOptions,
  describe,
  type OptionKind,
  type OptionKinds,
  option,
} from '../../base/options.ts';
import { permute, Random, streams } from '../../base/random.ts';
import type { TokenSplit } from '../tokens/token-store.ts';
import { tokenSplitKind } from '../tokens/token-store.ts';

/** Rows of tokens with what is to be predicted: at each position, such as the token that follows, or one class per row. */
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

interface TrainingWindowsOptions {
  /** Rows of a batch. */
  readonly batchSize: number;
  /** Tokens of a row. */
  readonly length: number;
  /** Targets: the token that follows (default), or the token itself, to be masked later. */
  readonly targets?: 'following' | 'itself' | undefined;
  /** Integer in [0, 2^53). */
  readonly seed: number;
}

const windowsKinds: OptionKinds<Omit<TrainingWindowsOptions, 'seed'>> = {
  batchSize: option.number,
  length: option.number,
  targets: option.oneOf('following', 'itself'),
};

const trainingWindowsKinds: OptionKinds<TrainingWindowsOptions> = { ...windowsKinds, seed: option.number };

/**
 * Windows of `length + 1` tokens, the last of which is only predicted; `length` where tokens are their own targets.
 * They are end to end from a random offset, drawn anew for each epoch, and come in random order. An epoch leaves out
 * fewer than `2·length` tokens, at the ends; a batch may straddle two epochs.
 *
 * @throws DataError if there are fewer than length + 1 tokens, or a size is not a positive integer
 */
export function trainingWindows(tokens: TokenSplit, options: TrainingWindowsOptions): TrainingWindows {
  checkArguments(
    'trainingWindows',
    { tokens, options },
    {
      tokens: tokenSplitKind,
      options: option.plain,
    },
  );
  checkOptions<TrainingWindowsOptions>('trainingWindows', options, trainingWindowsKinds);
  const { batchSize, length, seed } = options;
  const ahead = tokensAhead(options);
  checkBatchSize(batchSize, length);
  if (tokens.length < length + ahead) {
    throw new DataError(
      `The training text has ${tokens.length} tokens but one window needs ${length + ahead}; give more text or shorten the window.`,
    );
  }
  // One window fewer than fit, so that the number does not depend on the offset.
  const windowsPerEpoch = Math.max(1, Math.floor((tokens.length - ahead) / length) - 1);
  const numOffsets = tokens.length - ahead - windowsPerEpoch * length + 1;
  const order = new Random(seed, streams.dataOrder);

  return {
    windowsPerEpoch,
    batchAt: async (step) => {
      if (!Number.isInteger(step) || step < 0) throw new DataError(`Step ${step} is not a non-negative integer.`);
      const starts = Array.from({ length: batchSize }, (_, row) => {
        const index = step * batchSize + row;
        const epoch = Math.floor(index / windowsPerEpoch);
        const ofEpoch = order.fork(epoch);
        const offset = ofEpoch.integer(numOffsets);
        return offset + length * permute(index % windowsPerEpoch, windowsPerEpoch, ofEpoch.seed);
      });
      const windows = await Promise.all(starts.map((start) => tokens.read(start, length + ahead)));
      return toBatch(windows, length, ahead);
    },
  };
}

export interface EvaluationWindows {
  readonly numBatches: number;
  /** Targets of all batches together. */
  readonly numPredicted: number;
  /** Batch `index`; the last may have fewer rows. */
  batchAt(index: number): Promise<Batch>;
  /** All batches in order. */
  batches(): AsyncGenerator<Batch, void, undefined>;
}

/**
 * Consecutive windows that predict each token exactly once, except the first of all; each window starts without context.
 * The end of the last is padded with input 0 and target −1. Where tokens are their own targets, the first counts too, and
 * padding has segment −1, so that nothing sees it.
 *
 * @throws DataError if a size is not a positive integer
 */
export function evaluationWindows(
  tokens: TokenSplit,
  options: Omit<TrainingWindowsOptions, 'seed'>,
): EvaluationWindows {
  checkArguments(
    'evaluationWindows',
    { tokens, options },
    {
      tokens: tokenSplitKind,
      options: option.plain,
    },
  );
  checkOptions<Omit<TrainingWindowsOptions, 'seed'>>('evaluationWindows', options, windowsKinds);
  const { batchSize, length } = options;
  const ahead = tokensAhead(options);
  checkBatchSize(batchSize, length);
  const numPredicted = Math.max(0, tokens.length - ahead);
  const batches = evaluationBatches(Math.ceil(numPredicted / length), batchSize, async (first, count) => {
    const windows = Array.from({ length: count }, (_, row) => {
      const start = (first + row) * length;
      return tokens.read(start, Math.min(length + ahead, tokens.length - start));
    });
    return toBatch(await Promise.all(windows), length, ahead);
  });
  return { ...batches, numPredicted };
}

/**
 * Rows that are made by number, as batches in order.
 *
 * @param rows makes the batch of rows `first … first + count − 1`
 */
export function evaluationBatches(
  numRows: number,
  batchSize: number,
  rows: (first: number, count: number) => Promise<Batch>,
): Omit<EvaluationWindows, 'numPredicted'> {
  const numBatches = Math.ceil(numRows / batchSize);
  const batchAt = async (index: number) => {
    if (!Number.isInteger(index) || index < 0 || index >= numBatches) {
      throw new DataError(`Batch ${index} is not one of the ${numBatches} evaluation batches.`);
    }
    const first = index * batchSize;
    return rows(first, Math.min(batchSize, numRows - first));
  };
  return {
    numBatches,
    batchAt,
    batches: async function* () {
      for (let index = 0; index < numBatches; index++) yield await batchAt(index);
    },
  };
}

/** Tokens that a window needs beyond its length. */
const tokensAhead = ({ targets = 'following' }: Pick<TrainingWindowsOptions, 'targets'>) =>
  targets === 'following' ? 1 : 0;

function toBatch(windows: readonly Int32Array[], length: number, ahead: number): Batch {
  const batchSize = windows.length;
  const inputs = new Int32Array(batchSize * length);
  const targets = new Int32Array(batchSize * length).fill(-1);
  windows.forEach((window, row) => {
    inputs.set(window.subarray(0, window.length - ahead), row * length);
    targets.set(window.subarray(ahead), row * length);
  });
  const isPadded = ahead === 0 && windows.some((window) => window.length < length);
  const segments = windows.map((window) => new Int32Array(length).fill(-1).fill(0, 0, window.length));
  return { inputs, targets, segments: isPadded ? segments : undefined, batchSize, length };
}

/** Positions of a batch at most: its ids fill 1 GiB. */
const MOST_POSITIONS = 2 ** 28;

/** @throws ConfigurationError unless both are positive integers, and a batch of them fits in memory */
export function checkBatchSize(batchSize: number, length: number): void {
  for (const [name, value] of Object.entries({ batchSize, length })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigurationError(`${name} is ${describe(value)}; use a positive integer.`);
  }
  if (batchSize * length > MOST_POSITIONS) {
    throw new ConfigurationError(
      `A batch of ${batchSize} rows of ${length} has more than ${MOST_POSITIONS} positions; lower batchSize or length.`,
    );
  }
}

const rowKinds = {
  inputs: option.view('Int32Array'),
  segments: option.optional(option.listOf(option.numbers)),
  batchSize: option.count,
  length: option.count,
};

/** What a forward pass takes of a batch. */
export const rowsKind: OptionKind = withWholeRows(option.having('a batch', rowKinds));

export const batchKind: OptionKind = withWholeRows(
  option.having('a batch', { ...rowKinds, targets: option.view('Int32Array') }),
);

function withWholeRows(kind: OptionKind): OptionKind {
  return {
    ...kind,
    wanted: 'a batch of batchSize·length inputs',
    accepts: (value) => kind.accepts(value) && hasWholeRows(value as Batch),
  };
}

const hasWholeRows = ({ inputs, batchSize, length }: Batch) => inputs.length === batchSize * length;
