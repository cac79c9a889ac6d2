import type { Backend } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, checkOptions, describe, type OptionKinds, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import { randomKind } from '../base/random.ts';
import { type LshOptions, lshAttention as lshOp } from '../tensor/ops/attention/lsh-attention.ts';
import { slice } from '../tensor/ops/layout.ts';
import { keep, scope } from '../tensor/scope.ts';
import { checkDrawable, type Shape, sizeOf } from '../tensor/shape.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { checkTensors, type Tensor, tensor } from '../tensor/tensor.ts';
import type { LshConfiguration } from './configuration.ts';
import { parseAttention } from './configuration.ts';
import { checkStep } from './decoding/check-step.ts';
import { CachedAttention, type KeyValueCache, keyValueCacheKind } from './decoding/key-value-cache.ts';
import { attendOptions, checkAttend, layerArguments } from './options.ts';
import { attentionInputs, denseSequences } from './packing.ts';
import type { AttendOptions, Attention, AttentionLayerSizes } from './types.ts';

/**
 * LSH attention of the Reformer (Kitaev, Kaiser & Levskaya 2020, arXiv 2001.04451), with queries for keys. In each hash
 * a sequence is sorted by (bucket, position) and cut into chunks of chunkLength. A chunk attends to itself and to the
 * chunk before. As the paper's N_ij asks, a key that several hashes show counts once: the result is one softmax over
 * the union. A position attends to itself only where it sees nothing else.
 *
 * A bidirectional sequence of n valid positions has the least even number of buckets ≥ n/chunkLength, at most
 * numBuckets. A causal sequence has numBuckets. There a chunk also ends with its bucket, and sees the chunk before only
 * in the same bucket. Otherwise, as in the authors' code, each token would move the chunks of earlier tokens, and so
 * change what they see. Segments are hashed and sorted each on its own; masked positions neither see nor are seen.
 *
 * @param queries `[batch, heads, length, dHead]`
 * @param values `[batch, heads, length, dValue]`
 * @returns `[batch, heads, length, dValue]`
 * @throws ConfigurationError for options that mean nothing here: keySegments, offset, normalised: false.
 */
export function lshAttention(queries: Tensor, values: Tensor, given: LshAttentionOptions): Tensor {
  checkTensors('lshAttention', { queries, values });
  checkOptions<LshAttentionOptions>('lshAttention', given, lshAttentionOptions);
  const { rotations, chunkLength, numBuckets, ...options } = given ?? {};
  checkTensors('lshAttention', { queries, rotations });
  for (const [name, value] of Object.entries({ chunkLength, numBuckets })) {
    if (!option.count.accepts(value)) {
      throw new ConfigurationError(`lshAttention: ${name} is ${describe(value)}; give ${option.count.wanted}.`);
    }
  }
  if (options.keySegments || options.offset) {
    throw new ConfigurationError('LSH attention takes its queries as keys: leave keySegments and offset out.');
  }
  if (options.normalised === false) {
    throw new ConfigurationError(
      'LSH attention sees only the keys nearest to a query, so its rows must be normalised: use exact or favor.',
    );
  }
  return scopeUnlessTracked([queries, values], () => {
    const inputs = attentionInputs(queries, queries, values, options);
    return lshOp(inputs, { rotations, chunkLength, numBuckets, causal: options.causal });
  });
}

type LshAttentionOptions = AttendOptions & Omit<LshOptions, 'scale'>;

const lshAttentionOptions: OptionKinds<LshAttentionOptions> = {
  ...attendOptions,
  rotations: option.any,
  chunkLength: option.count,
  numBuckets: option.count,
};

/** LSH attention as a configuration value's meaning: holds the rotations of one layer. */
export class LshAttention extends CachedAttention implements Attention<KeyValueCache> {
  readonly configuration: LshConfiguration;
  readonly sharesKeys = true;
  readonly isReplaceable = false;
  /** `[numHashes, maxBuckets/2, dHead]` */
  readonly rotations: Tensor;
  /** The number for causal sequences, whatever their length: enough for the layer's longest. */
  readonly #causalBuckets: number;
  readonly #shape: Shape;

  constructor(backend: Backend, configuration: LshConfiguration, sizes: AttentionLayerSizes, random: Random) {
    super(backend);
    checkArguments('LshAttention', { backend, configuration, sizes, random }, layerArguments);
    const { dHead, maxLength } = sizes;
    this.configuration = parseAttention('lsh', configuration, 'LshAttention');
    const { numHashes, maxBuckets, chunkLength } = this.configuration;
    this.#shape = [numHashes, maxBuckets / 2, dHead];
    checkDrawable(this.#shape);
    this.rotations = keep(tensor(backend, this.#draw(random), this.#shape));
    this.#causalBuckets = Math.min(maxBuckets, 2 * Math.ceil(maxLength / chunkLength / 2));
  }

  #draw(random: Random): Float32Array {
    return Float32Array.from({ length: sizeOf(this.#shape) }, () => random.normal());
  }

  #options(causal = false) {
    const { chunkLength, maxBuckets } = this.configuration;
    const numBuckets = causal ? this.#causalBuckets : maxBuckets;
    return { rotations: this.rotations, chunkLength, numBuckets, causal };
  }

  /** @throws ConfigurationError unless `keys` is `queries`, or as {@link lshAttention} does. */
  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
    checkAttend('LshAttention.attend', { queries, keys, values }, options);
    if (keys !== queries) {
      throw new ConfigurationError(
        'LSH attention takes its queries as keys: pass the same tensor as both, or use exact or favor.',
      );
    }
    return lshAttention(queries, values, { ...options, ...this.#options(options.causal) });
  }

  /** The number of buckets depends on the length. */
  readonly extendsWhole = true;

  /** What `attend` gives at the new positions, to the last bit, computed anew over the whole past: O(past + length). */
  extend(queries: Tensor, keys: Tensor, values: Tensor, state: KeyValueCache): Tensor {
    checkStep('LshAttention.extend', state, keyValueCacheKind, { queries, keys, values });
    const { backend } = this;
    state.append(keys, values);
    const { position } = state;
    const { batch } = state.sizes;
    const length = queries.shape[1];
    return scope(() => {
      const sequences = denseSequences(backend, batch, position, position);
      const inputs = { queries: state.keys, values: state.values, layout: 'blhd', sequences } as const;
      const all = lshOp(inputs, this.#options(true));
      return slice(all, 1, position - length, position);
    });
  }

  buffers(): Map<string, Tensor> {
    return new Map([['rotations', this.rotations]]);
  }

  redraw(random: Random): void {
    checkArguments('LshAttention.redraw', { random }, { random: randomKind });
    this.backend.write(this.rotations.storage, this.#draw(random));
  }

  dispose(): void {
    this.rotations.dispose();
  }
}
