import { DataError } from '../../base/errors.ts';
import { inSteps, Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { AttentionChoice, Transformer } from '../../model/transformer.ts';
import { transformerKind } from '../../model/transformer.ts';
import { softmaxCrossEntropy } from '../../tensor/ops/losses.ts';
import { keep, scope } from '../../tensor/scope.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { type MeasuredBatch, type ModelComparison, measuredBatchesKind } from './types.ts';

interface Measured {
  /** One vector for each sequence. */
  readonly embeddings: readonly Float64Array[];
  readonly accuracy?: number;
  readonly loss?: number;
}

/**
 * Measures a model under any attention against itself with exact attention. The model's attention is replaced as it goes:
 * whoever opened this sets it at the end.
 */
export class Comparison {
  private constructor(
    readonly model: Transformer,
    readonly batches: readonly MeasuredBatch[],
    readonly exact: Measured,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Leaves the model with exact attention. */
  static async open(model: Transformer, batches: readonly MeasuredBatch[], signal?: AbortSignal): Promise<Comparison> {
    if (batches.length === 0)
      throw new DataError('There is nothing to measure the conversion on: give at least one sequence.');
    await inSteps(model.replaceAttentionInPieces({ attention: 'exact', exactLayers: [] }), new Pauses(signal));
    return new Comparison(model, batches, await measure(model, batches, signal), signal);
  }

  /** Leaves the model with this attention, drawn from `seed`. One forward pass over all sequences. */
  async compare(choice: AttentionChoice, seed: number): Promise<ModelComparison> {
    await inSteps(this.model.replaceAttentionInPieces(choice, seed), new Pauses(this.signal));
    return compareMeasured(await measure(this.model, this.batches, this.signal), this.exact);
  }
}

/** A model against another that it is to be like, such as the one that it learns from. */
export interface RecoveryReport {
  readonly model: ModelComparison;
  readonly reference: Pick<ModelComparison, 'accuracy' | 'loss'>;
}

/**
 * What a model gives, against what a reference of equal width gives on the same sequences. One forward pass of each; both
 * stay as they are.
 *
 * @param options.signal stops the work: its reason is thrown
 */
export async function compareModels(
  model: Transformer,
  reference: Transformer,
  batches: readonly MeasuredBatch[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RecoveryReport> {
  checkArguments(
    'compareModels',
    { model, reference, batches },
    {
      model: transformerKind,
      reference: transformerKind,
      batches: measuredBatchesKind,
    },
  );
  checkOptions<Stoppable>('compareModels', options, { signal: option.signal });
  const wanted = await measure(reference, batches, options.signal);
  const { embeddings: _, ...rest } = wanted;
  return { model: compareMeasured(await measure(model, batches, options.signal), wanted), reference: rest };
}

function compareMeasured({ embeddings, ...rest }: Measured, wanted: Measured): ModelComparison {
  const pairs = embeddings.map((embedding, i) => compareVectors(embedding, wanted.embeddings[i]));
  const cosines = pairs.map(({ cosine }) => cosine);
  return {
    embeddingError: mean(pairs.map(({ error }) => error)),
    embeddingCosine: { mean: mean(cosines), worst: cosines.reduce((a, b) => Math.min(a, b), 1) },
    ...rest,
  };
}

async function measure(
  model: Transformer,
  batches: readonly MeasuredBatch[],
  signal: AbortSignal | undefined,
): Promise<Measured> {
  const pauses = new Pauses(signal);
  const embeddings: Float64Array[] = [];
  let nats = 0;
  let hits = 0;
  let count = 0;
  for (const batch of batches) {
    await pauses.next();
    const { pooled, loss, correct } = await forward(model, batch, pauses);
    try {
      embeddings.push(...rowsOf(await pooled.data(), batch.shape[0]));
      if (!batch.targets || !loss || !correct) continue;
      const [losses, corrects] = await Promise.all([loss.data(), correct.data()]);
      batch.targets.forEach((target, i) => {
        if (target < 0) return;
        nats += losses[i];
        hits += corrects[i];
        count++;
      });
    } finally {
      for (const made of [pooled, loss, correct]) made?.dispose();
    }
  }
  return { embeddings, ...(count > 0 && { accuracy: hits / count, loss: nats / count }) };
}

async function forward(
  model: Transformer,
  { input, shape, options, targets }: MeasuredBatch,
  pauses: Pauses,
): Promise<{ pooled: Tensor; loss?: Tensor; correct?: Tensor }> {
  const { backend } = model;
  const given = tensor(backend, input, shape);
  const hidden = await model.forwardInSteps(given, options ?? {}, pauses).finally(() => given.dispose());
  try {
    await pauses.next();
    return scope(() => {
      const pooled = keep(model.pool(hidden, options));
      if (!targets || !model.configuration.languageHead) return { pooled };
      const { loss, correct } = softmaxCrossEntropy(model.logits(hidden), tensor(backend, targets, [targets.length]));
      return { pooled, loss: keep(loss), correct: keep(correct) };
    });
  } finally {
    hidden.dispose();
  }
}

function rowsOf(data: ArrayLike<number>, rows: number): Float64Array[] {
  const all = Float64Array.from(data);
  const width = all.length / rows;
  return Array.from({ length: rows }, (_, row) => all.subarray(row * width, (row + 1) * width));
}

/** A vector of zeros, which an empty sequence gives, equals itself. */
function compareVectors(a: Float64Array, b: Float64Array): { cosine: number; error: number } {
  let [dot, aa, bb, difference] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
    difference += (a[i] - b[i]) ** 2;
  }
  if (difference === 0) return { cosine: 1, error: 0 };
  return { cosine: dot / Math.sqrt(aa * bb), error: Math.sqrt(difference / bb) };
}

export function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((a, b) => a + b, 0) / numbers.length;
}
