import type { Backend } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import { randomKind } from '../base/random.ts';
import { maskKeys } from '../tensor/ops/attention/mask-keys.ts';
import { projectLength } from '../tensor/ops/attention/project-length.ts';
import { softmaxAttention } from '../tensor/ops/attention/softmax-attention.ts';
import { where } from '../tensor/ops/elementwise.ts';
import { keep } from '../tensor/scope.ts';
import { checkDrawable, type Shape, sizeOf } from '../tensor/shape.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { Tensor, tensor, tensorKind } from '../tensor/tensor.ts';
import type { LinformerConfiguration } from './configuration.ts';
import { parseAttention } from './configuration.ts';
import { attendOptions, checkAttend, layerArguments } from './options.ts';
import { attentionInputs, denseSequences, paddingMask } from './packing.ts';
import type { AttendOptions, Attention, AttentionLayerSizes, KeyMask } from './types.ts';

/** Linformer's E and F: `[projectedLength, maxLength]` for all heads, or `[heads, projectedLength, maxLength]`. */
export interface LinformerProjections {
  readonly keyProjection: Tensor;
  readonly valueProjection: Tensor;
}

/**
 * Linformer (Wang et al. 2020, arXiv 2006.04768): `softmax(Q(EK)ᵀ/√dHead)(FV)`, exact attention to projectedLength
 * mixtures of keys and of values, in O(length·projectedLength) time. A mixture holds later positions too, so Linformer
 * is bidirectional only. Masked keys, padding and their values count as zeros. A length below maxLength uses the first
 * columns.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`, lengthK ≤ maxLength
 * @param values `[batch, heads, lengthK, dValue]`
 * @returns `[batch, heads, lengthQ, dValue]`
 * @throws ConfigurationError for causal attention, for packed sequences, and where lengthK exceeds maxLength.
 */
export function linformerAttention(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  given: AttendOptions & LinformerProjections,
): Tensor {
  checkArguments(
    'linformerAttention',
    { queries, keys, values, given },
    {
      queries: tensorKind,
      keys: tensorKind,
      values: tensorKind,
      given: option.having('options with both projections', { keyProjection: tensorKind, valueProjection: tensorKind }),
    },
  );
  checkOptions<AttendOptions & LinformerProjections>('linformerAttention', given, {
    ...attendOptions,
    ...{ keyProjection: tensorKind, valueProjection: tensorKind },
  });
  const { keyProjection, valueProjection, segments, keySegments = segments, ...options } = given;
  if (options.causal) {
    throw new ConfigurationError(
      'Linformer mixes all positions, so it cannot be causal: train with causal: false, or use favor, lsh or exact.',
    );
  }
  const padding = keySegments && paddingMask(keySegments);
  if (keySegments && !padding) {
    throw new ConfigurationError(
      'Linformer mixes all positions of a row, so it takes no packed sequences: give one a row, padded.',
    );
  }
  return scopeUnlessTracked([queries, keys, values, keyProjection, valueProjection], () => {
    const { backend } = queries;
    const { layout, keyMask } = attentionInputs(queries, keys, values, options);
    const [lengthQ, lengthK] = [queries, keys].map(({ shape }) => shape[layout === 'bhld' ? 2 : 1]);
    const [projectedLength, maxLength] = keyProjection.shape.slice(-2);
    if (lengthK > maxLength) {
      throw new ConfigurationError(
        `Linformer: the sequence has ${lengthK} positions but the projections end at ${maxLength}: shorten it, or make the model with a larger maxLength.`,
      );
    }
    const rows = padding && attentionInputs(queries, keys, values, { layout, keyMask: padding }).keyMask;
    const masks = [keyMask, rows].filter((mask) => mask !== undefined);
    const valid = (x: Tensor) => masks.reduce((kept, mask) => maskKeys(kept, mask, layout), x);
    const columns = seenColumns([padding, options.keyMask], lengthK, maxLength);
    // 0 times a NaN of a column for padding alone would be NaN.
    const seen = (projection: Tensor) =>
      columns ? where(tensor(backend, columns, [maxLength]), projection, tensor(backend, [0], [])) : projection;
    const mixed = {
      keys: projectLength(valid(keys), seen(keyProjection), layout),
      values: projectLength(valid(values), seen(valueProjection), layout),
    };
    const sequences = denseSequences(backend, queries.shape[0], lengthQ, projectedLength);
    return softmaxAttention({ queries, ...mixed, layout, sequences }, { normalised: options.normalised });
  });
}

/**
 * 0 at columns that stand for positions which every batch row leaves out. Undefined where no column does, or masks are
 * tensors.
 */
function seenColumns(
  masks: readonly (KeyMask | undefined)[],
  lengthK: number,
  maxLength: number,
): Float32Array | undefined {
  const columns = new Float32Array(maxLength).fill(1);
  for (const mask of masks) {
    if (!mask || mask instanceof Tensor) continue;
    for (let i = 0; i < lengthK; i++) if (mask.every((row) => row[i] === 0)) columns[i] = 0;
  }
  return columns.includes(0) ? columns : undefined;
}

/** Linformer as a configuration value's meaning: holds the projections of one layer, trained or drawn. */
export class LinformerAttention implements Attention<never> {
  readonly configuration: LinformerConfiguration;
  readonly projections: LinformerProjections;
  readonly #shape: Shape;

  constructor(
    readonly backend: Backend,
    configuration: LinformerConfiguration,
    sizes: AttentionLayerSizes,
    random: Random,
  ) {
    checkArguments('LinformerAttention', { backend, configuration, sizes, random }, layerArguments);
    this.configuration = parseAttention('linformer', configuration, 'LinformerAttention');
    this.#shape = [this.configuration.projectedLength, sizes.maxLength];
    checkDrawable(this.#shape);
    const draw = () => keep(tensor(backend, this.#draw(random), this.#shape));
    this.projections = { keyProjection: draw(), valueProjection: draw() };
  }

  /** Entries of N(0, 1/projectedLength), as in the paper's Theorem 2: `EᵀE` is then the identity in the mean. */
  #draw(random: Random): Float32Array {
    const deviation = this.configuration.projectedLength ** -0.5;
    return Float32Array.from({ length: sizeOf(this.#shape) }, () => deviation * random.normal());
  }

  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
    checkAttend('LinformerAttention.attend', { queries, keys, values }, options);
    return linformerAttention(queries, keys, values, { ...options, ...this.projections });
  }

  createState = refuse;
  restoreState = refuse;
  stackStates = refuse;
  extend = refuse;

  get isReplaceable(): boolean {
    return this.configuration.projections !== 'learned';
  }

  parameters(): Map<string, Tensor> {
    return new Map(this.configuration.projections === 'learned' ? Object.entries(this.projections) : []);
  }

  buffers(): Map<string, Tensor> {
    return new Map(this.configuration.projections === 'random' ? Object.entries(this.projections) : []);
  }

  redraw(random: Random): void {
    checkArguments('LinformerAttention.redraw', { random }, { random: randomKind });
    for (const buffer of this.buffers().values()) this.backend.write(buffer.storage, this.#draw(random));
  }

  dispose(): void {
    for (const projection of Object.values(this.projections)) projection.dispose();
  }
}

function refuse(): never {
  throw new ConfigurationError(
    'Linformer mixes all positions, so it cannot decode one after another: use favor, lsh or exact.',
  );
}
