import type { Backend } from '../backend/types.ts';
import { positiveMap } from '../features/maps/positive.ts';
import { drawProjection, type ProjectionKind } from '../features/projection.ts';
import { type FeatureTensors, favor, featureStorages } from '../tensor/ops/favor.ts';
import { favorCausal } from '../tensor/ops/favor-causal.ts';
import { Random, streams } from '../tensor/random.ts';
import { keep, scope } from '../tensor/scope.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { Tensor, tensor } from '../tensor/tensor.ts';
import type { FavorConfiguration } from './configuration.ts';
import { attentionInputs } from './inputs.ts';
import { denseRuns } from './runs.ts';
import { FavorState } from './state.ts';
import type { AttendOptions, Attention, DecodingSizes, SavedState } from './types.ts';

/** Random features drawn from a seed. Defaults: 256 orthogonal features, seed 0. */
export interface FeatureOptions {
  readonly numFeatures?: number;
  readonly projection?: ProjectionKind;
  readonly seed?: number;
}

/** Draws positive random features for heads of width `dHead`; the caller (or its scope) disposes them. */
export function drawFeatures(backend: Backend, dHead: number, options: FeatureOptions = {}): FeatureTensors {
  const { numFeatures = 256, projection: kind = 'orthogonal', seed = 0 } = options;
  const random = new Random(seed, streams.projections);
  const { projection } = positiveMap(drawProjection({ kind, numFeatures, dHead }, random));
  return { projection: tensor(backend, projection, [numFeatures, dHead]) };
}

/**
 * FAVOR+ attention, an unbiased kernel estimate of softmax attention in O(length) time.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`
 * @param values `[batch, heads, lengthK, dValue]`
 * @param options.features tensors from {@link drawFeatures}, or what to draw them from
 * @returns `[batch, heads, lengthQ, dValue]`; zeros for a query that sees no valid key
 */
export function favorAttention(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: AttendOptions & { features?: FeatureTensors | FeatureOptions } = {},
): Tensor {
  return scopeUnlessTracked([queries, keys, values], () => {
    const given = options.features ?? {};
    const features = isDrawn(given) ? given : drawFeatures(queries.backend, queries.shape[3], given);
    const inputs = attentionInputs(queries, keys, values, options);
    return options.causal ? favorCausal(inputs, features) : favor(inputs, features);
  });
}

function isDrawn(features: FeatureTensors | FeatureOptions): features is FeatureTensors {
  return typeof features.projection === 'object';
}

/** FAVOR+ attention as a configuration value's meaning: holds the projection of one layer. */
export class FavorAttention implements Attention<FavorState> {
  readonly #projection: Tensor;

  constructor(
    readonly backend: Backend,
    readonly configuration: FavorConfiguration,
    readonly dHead: number,
    random: Random,
  ) {
    this.#projection = keep(Tensor.empty(backend, [configuration.numFeatures, dHead]));
    this.redraw(random);
  }

  get features(): FeatureTensors {
    return { projection: this.#projection };
  }

  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
    return favorAttention(queries, keys, values, { ...options, features: this.features });
  }

  createState(sizes: DecodingSizes): FavorState {
    return FavorState.empty(this.backend, sizes, this.configuration.numFeatures);
  }

  restoreState(saved: SavedState): FavorState {
    return FavorState.restore(this.backend, saved);
  }

  extend(queries: Tensor, keys: Tensor, values: Tensor, state: FavorState): Tensor {
    const { batch, heads, dHead, dValue } = state.sizes;
    const length = queries.shape[1];
    state.position += length;
    if (length > 1) {
      return scope(() => {
        const runs = denseRuns(this.backend, batch, length, length);
        return favorCausal({ queries, keys, values, layout: 'blhd', runs }, this.features, state.arrays);
      });
    }
    const out = Tensor.empty(this.backend, [batch, 1, heads, dValue]);
    this.backend.favorStep({
      q: queries.storage,
      k: keys.storage,
      v: values.storage,
      out: out.storage,
      ...featureStorages(this.features, dHead),
      ...state.arrays,
      batch,
      heads,
      dHead,
      dValue,
    });
    return out;
  }

  buffers(): Map<string, Tensor> {
    return new Map([['projection', this.#projection]]);
  }

  redraw(random: Random): void {
    const { numFeatures, projection: kind } = this.configuration;
    const { projection } = positiveMap(drawProjection({ kind, numFeatures, dHead: this.dHead }, random));
    this.backend.write(this.#projection.storage, projection);
  }

  dispose(): void {
    this.#projection.dispose();
  }
}
