import { type OptionKind, option } from '../../base/options.ts';
import { favorState } from '../../tensor/ops/attention/favor.ts';
import { favorCausal } from '../../tensor/ops/attention/favor-causal.ts';
import { keep, scope } from '../../tensor/scope.ts';
import { checkShape } from '../../tensor/shape.ts';
import { Tensor } from '../../tensor/tensor.ts';
import { FavorAttention } from '../favor.ts';
import { attentionInputs, denseSequences } from '../packing.ts';
import type { Attention, KeyMask } from '../types.ts';
import { FavorState } from './favor-state.ts';

/** The keys and values of a source sequence, kept to be attended to again and again while decoding. */
export abstract class SourceMemory {
  readonly #made = true;

  /** Whether `remember` made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is SourceMemory {
    return typeof value === 'object' && value !== null && #made in value;
  }

  /**
   * Every query sees every valid key. Not differentiable.
   *
   * @param queries `[batch, lengthQ, heads, dHead]`
   * @returns `[batch, lengthQ, heads, dValue]`
   */
  abstract attend(queries: Tensor): Tensor;
  abstract dispose(): void;
}

export const sourceMemoryKind: OptionKind = option.made('what remember() gives', SourceMemory.is);

/**
 * Takes in a source sequence. FAVOR+ keeps sums whose size and time per query do not depend on the source's length.
 * Every other attention keeps copies of the keys and values.
 *
 * @param keys `[batch, lengthK, heads, dHead]`
 * @param values `[batch, lengthK, heads, dValue]`
 */
export function rememberSource(attention: Attention, keys: Tensor, values: Tensor, keyMask?: KeyMask): SourceMemory {
  if (attention instanceof FavorAttention) return new FavorMemory(attention, keys, values, keyMask);
  return new KeptMemory(attention, keys, values, keyMask);
}

class KeptMemory extends SourceMemory {
  readonly #keys: Tensor;
  readonly #values: Tensor;

  constructor(
    readonly attention: Attention,
    keys: Tensor,
    values: Tensor,
    readonly keyMask?: KeyMask,
  ) {
    super();
    [this.#keys, this.#values] = [keys, values].map((tensor) => keep(tensor.view()));
  }

  attend(queries: Tensor): Tensor {
    return this.attention.attend(queries, this.#keys, this.#values, { keyMask: this.keyMask, layout: 'blhd' });
  }

  dispose(): void {
    this.#keys.dispose();
    this.#values.dispose();
  }
}

class FavorMemory extends SourceMemory {
  readonly #attention: FavorAttention;
  readonly #state: FavorState;

  constructor(attention: FavorAttention, keys: Tensor, values: Tensor, keyMask?: KeyMask) {
    super();
    const [batch, , heads, dHead] = keys.shape;
    const dValue = values.shape[3];
    this.#attention = attention;
    this.#state = FavorState.empty(keys.backend, { batch, heads, dHead, dValue }, attention.features.numFeatures);
    scope(() => {
      const none = Tensor.empty(keys.backend, [batch, 0, heads, dHead]);
      const inputs = attentionInputs(none, keys, values, { keyMask, layout: 'blhd' });
      favorState(inputs, attention.features, this.#state.arrays);
    });
  }

  attend(queries: Tensor): Tensor {
    const { batch, heads, dHead, dValue } = this.#state.sizes;
    checkShape('recall: queries', queries.shape, [batch, queries.shape[1], heads, dHead]);
    return scope(() => {
      const { backend, shape } = queries;
      const sequences = denseSequences(backend, batch, shape[1], 0);
      const [keys, values] = [dHead, dValue].map((width) => Tensor.empty(backend, [batch, 0, heads, width]));
      const inputs = { queries, keys, values, layout: 'blhd', sequences } as const;
      return favorCausal(inputs, this.#attention.features, { state: this.#state.arrays });
    });
  }

  dispose(): void {
    this.#state.dispose();
  }
}
