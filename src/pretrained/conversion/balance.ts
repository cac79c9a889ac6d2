import type { FloatArray } from '../../backend/types.ts';
import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { AttentionHeads } from '../../model/layers/multi-head-attention.ts';
import { validPositions } from '../../model/layers/pooling.ts';
import type { Transformer } from '../../model/transformer.ts';
import { transformerKind } from '../../model/transformer.ts';
import { tensor } from '../../tensor/tensor.ts';
import { type BalanceTransform, balanceTransform, rotaryBalanceTransform } from './balance-transform.ts';
import { HeadMoments } from './head-moments.ts';
import { type MeasuredBatch, measuredBatchesKind } from './types.ts';

/**
 * Rewrites the weights of queries and keys such that exact attention gives the same and random features estimate it better.
 *
 * Softmax sees queries and keys only through `qᵀk`, and does not see what is the same for all keys. So any invertible A
 * may turn `q` to `A q` and `k` to `A⁻ᵀ k`, and any c may be taken off all keys. The variance of positive features
 * grows as exp ‖q + k‖² (paper, Lemma 2). A and c therefore make the mean of ‖q + k − c‖² over the given sequences
 * least. Queries and keys get the same, diagonal covariance, and q + k the mean zero. Rotary positions allow no c, and
 * as A only a factor for each rotated pair.
 *
 * The model may have any attention; its moments are measured as it is. O(L·dHead²) for each head, and O(dHead³).
 *
 * @param options.signal stops the work before a weight is changed: its reason is thrown
 * @throws DataError when there is no sequence, queries serve as keys, or a keyMask is a tensor
 */
export async function balanceAttention(
  model: Transformer,
  batches: readonly MeasuredBatch[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  checkArguments(
    'balanceAttention',
    { model, batches },
    {
      model: transformerKind,
      batches: measuredBatchesKind,
    },
  );
  checkOptions<Stoppable>('balanceAttention', options, { signal: option.signal });
  const pauses = new Pauses(options.signal);
  if (batches.length === 0)
    throw new DataError('There is nothing to measure queries and keys on: give at least one sequence.');
  if (model.attentions.some((attention) => attention.sharesKeys)) {
    throw new DataError(
      'Queries serve as keys in LSH attention, so there is nothing to balance: take a model with another.',
    );
  }
  const { numLayers, numHeads, dModel, positions } = model.configuration;
  const dHead = dModel / numHeads;
  const moments = Array.from({ length: numLayers }, () =>
    Array.from({ length: numHeads }, () => ({ queries: new HeadMoments(dHead), keys: new HeadMoments(dHead) })),
  );
  for (const batch of batches) await addMoments(model, batch, moments, pauses);
  const parameters = model.parameters();
  const changes: (() => void)[] = [];
  for (const [layer, heads] of moments.entries()) {
    const transforms: BalanceTransform[] = [];
    for (const { queries, keys } of heads) {
      await pauses.next();
      transforms.push(positions === 'rotary' ? rotaryBalanceTransform(queries, keys) : balanceTransform(queries, keys));
    }
    for (const part of ['query', 'key'] as const) {
      const [weight, bias] = ['weight', 'bias'].map(
        (name) => parameters.get(`blocks.${layer}.attention.${part}.${name}`)!,
      );
      const [weights, biases] = await Promise.all([weight.data(), bias.data()]);
      for (const [head, transform] of transforms.entries()) {
        await pauses.next();
        const moved = transformHead(transform, part, head, weights, biases);
        changes.push(() => {
          model.backend.write(weight.storage, moved.weights, head * dHead * dModel);
          model.backend.write(bias.storage, moved.biases, head * dHead);
        });
      }
    }
  }
  for (const change of changes) change();
}

type LayerMoments = readonly { readonly queries: HeadMoments; readonly keys: HeadMoments }[];

async function addMoments(
  model: Transformer,
  { input, shape, options = {} }: MeasuredBatch,
  moments: readonly LayerMoments[],
  pauses: Pauses,
): Promise<void> {
  await pauses.next();
  const given = tensor(model.backend, input, shape);
  const layers: AttentionHeads[] = [];
  try {
    layers.push(...(await model.attentionInputsInSteps(given, options, pauses)));
    for (const [layer, { queries, keys }] of layers.entries()) {
      const [batch, heads, length, dHead] = queries.shape;
      const [q, k] = await Promise.all([queries.data(), keys.data()]);
      for (const [row, positions] of validPositions(options, batch, length).entries()) {
        for (const i of positions) {
          if (pauses.isDue) await pauses.next();
          for (let head = 0; head < heads; head++) {
            const start = ((row * heads + head) * length + i) * dHead;
            moments[layer][head].queries.add(q, start);
            moments[layer][head].keys.add(k, start);
          }
        }
      }
    }
  } finally {
    given.dispose();
    for (const { queries, keys, values } of layers) for (const part of [queries, keys, values]) part.dispose();
  }
}

/** Rows of one head's weights `[dHead, dModel]` and biases, moved. */
function transformHead(
  transform: BalanceTransform,
  part: 'query' | 'key',
  head: number,
  weights: FloatArray,
  biases: FloatArray,
) {
  const { dHead } = transform;
  const matrix = part === 'query' ? transform.queries : transform.keys;
  const dModel = weights.length / biases.length;
  const moved = { weights: new Float64Array(dHead * dModel), biases: new Float64Array(dHead) };
  for (let i = 0; i < dHead; i++) {
    for (let j = 0; j < dHead; j++) {
      const factor = matrix[i * dHead + j];
      if (factor === 0) continue;
      const row = head * dHead + j;
      for (let c = 0; c < dModel; c++) moved.weights[i * dModel + c] += factor * weights[row * dModel + c];
      moved.biases[i] += factor * biases[row];
    }
    if (part === 'key') moved.biases[i] -= transform.shift[i];
  }
  return moved;
}
