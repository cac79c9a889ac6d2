/** What a language model's bits per character are to be compared with. */

import { ConfigurationError, DataError } from '../base/errors.ts';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, describe, option } from '../base/options.ts';
import { PairMap } from '../tokenizers/training/pair-map.ts';
import { countCharacters } from './dataset/tail-split.ts';

/**
 * Bits per character (Unicode code point) of `heldOut` under a model of order `order` over UTF-8 bytes. The counts come
 * from `train` alone, as a trained network's weights do.
 *
 * Witten and Bell's interpolation. A context c occurs n times, with T different bytes after it; c′ is the context that
 * is one byte shorter. Then `p(s | c) = (count(c s) + T·p(s | c′)) / (n + T)`. Where n = 0, `p(s | c) = p(s | c′)`.
 * Below the empty context is the uniform distribution over 256 bytes. Contexts continue from the end of `train`.
 *
 * @param order bytes of context, default 3; 0 counts bytes alone
 * @throws if heldOut is empty or order is not an integer from 0 to 16
 */
export function orderKModel(train: string, heldOut: string, order = 3): number {
  checkArguments('orderKModel', { train, heldOut }, { train: option.string, heldOut: option.string });
  if (!Number.isInteger(order) || order < 0 || order > 16) {
    throw new ConfigurationError(`order is ${describe(order)}; use an integer from 0 to 16.`);
  }
  if (heldOut === '')
    throw new DataError('The held-out text is empty; bits per character need at least one character.');
  const encoder = new TextEncoder();
  const model = new ByteModel(order);
  for (const byte of encoder.encode(train)) {
    model.count(byte);
    model.advance(byte);
  }
  let bits = 0;
  for (const byte of encoder.encode(heldOut)) {
    bits -= Math.log2(model.probability(byte));
    model.advance(byte);
  }
  return bits / countCharacters(heldOut);
}

const ROOT = 0;
const NONE = -1;

/** Counts of all byte strings up to length order + 1, in a trie. */
class ByteModel {
  private readonly children = new PairMap();
  /** How often the string of each node occurred. */
  private readonly counts = [0];
  /** Sum of the counts of a node's children, and how many they are. */
  private readonly totals = [0];
  private readonly distinct = [0];
  /** Nodes of the last 0, 1, … order bytes; NONE where that string was not seen in training. */
  private readonly contexts: number[];

  constructor(order: number) {
    this.contexts = [ROOT, ...new Array<number>(order).fill(NONE)];
  }

  /** Counts `byte` after each of the present contexts. */
  count(byte: number): void {
    for (const context of this.contexts) {
      if (context === NONE) continue;
      let node = this.children.get(context, byte);
      if (node === NONE) {
        node = this.counts.length;
        this.children.set(context, byte, node);
        this.counts.push(0);
        this.totals.push(0);
        this.distinct.push(0);
        this.distinct[context]!++;
      }
      this.counts[node]!++;
      this.totals[context]!++;
    }
  }

  probability(byte: number): number {
    let probability = 1 / 256;
    for (const context of this.contexts) {
      if (context === NONE || this.totals[context] === 0) continue;
      const node = this.children.get(context, byte);
      const count = node === NONE ? 0 : this.counts[node]!;
      const distinct = this.distinct[context]!;
      probability = (count + distinct * probability) / (this.totals[context]! + distinct);
    }
    return probability;
  }

  advance(byte: number): void {
    const { contexts } = this;
    for (let k = contexts.length - 1; k > 0; k--) {
      const shorter = contexts[k - 1]!;
      contexts[k] = shorter === NONE ? NONE : this.children.get(shorter, byte);
    }
  }
}

/** How often each id occurs among the targets of batches; −1, nothing to predict, is left out. */
export async function targetCounts(
  batches: Iterable<HasTargets> | AsyncIterable<HasTargets>,
  vocabSize: number,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Float64Array> {
  checkArguments('targetCounts', { batches, vocabSize }, { batches: option.iterable, vocabSize: option.upTo(2 ** 24) });
  checkOptions<Stoppable>('targetCounts', options, { signal: option.signal });
  const counts = new Float64Array(vocabSize);
  const pauses = new Pauses(options.signal);
  for await (const batch of batches) {
    checkArguments('targetCounts', { batch }, { batch: targetsKind });
    const { targets } = batch;
    await pauses.next();
    for (const id of targets) {
      if (id < 0) continue;
      if (id >= vocabSize) throw new DataError(`Target ${id} is outside the vocabulary of ${vocabSize}.`);
      counts[id]!++;
    }
  }
  return counts;
}

const targetsKind = option.having('a batch', { targets: option.view('Int32Array') });

type HasTargets = { readonly targets: Int32Array };

export interface EmpiricalBaseline {
  /** Share of the targets that are the commonest token of training. */
  readonly accuracy: number;
  /** e to the mean negative log likelihood. */
  readonly perplexity: number;
  /** Number of targets. */
  readonly numPredicted: number;
}

/**
 * What a model reaches that knows only how often each token occurs in training (paper, Table 2: empirical baseline).
 * The prediction is the same everywhere, so one function serves next tokens (U) and masked tokens (B): the targets
 * differ.
 *
 * Each token counts once more than it was seen: `p(s) = (count(s) + 1) / (n + vocabSize)`. A token that training lacks
 * therefore does not make the perplexity infinite. Of equally common tokens the smallest id is predicted.
 *
 * @param counts of the training targets, see {@link targetCounts}; its length is the size of the vocabulary
 * @throws DataError if the batches have no target, or one outside the vocabulary
 */
export async function empiricalBaseline(
  counts: ArrayLike<number>,
  batches: Iterable<HasTargets> | AsyncIterable<HasTargets>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<EmpiricalBaseline> {
  checkArguments('empiricalBaseline', { counts, batches }, { counts: option.numbers, batches: option.iterable });
  checkOptions<Stoppable>('empiricalBaseline', options, { signal: option.signal });
  const heldOut = await targetCounts(batches, counts.length, options);
  let commonest = 0;
  let trained = 0;
  for (let id = 0; id < counts.length; id++) {
    trained += counts[id]!;
    if (counts[id]! > counts[commonest]!) commonest = id;
  }
  let numPredicted = 0;
  let nats = 0;
  heldOut.forEach((count, id) => {
    numPredicted += count;
    nats -= count * Math.log((counts[id]! + 1) / (trained + counts.length));
  });
  if (numPredicted === 0) throw new DataError('The batches have no target; the baseline needs at least one.');
  return { accuracy: heldOut[commonest]! / numPredicted, perplexity: Math.exp(nats / numPredicted), numPredicted };
}
