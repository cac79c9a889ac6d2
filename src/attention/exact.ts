import { checkOptions } from '../base/options.ts';
import { softmaxAttention } from '../tensor/ops/attention/softmax-attention.ts';
import { scope } from '../tensor/scope.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { checkTensors, type Tensor } from '../tensor/tensor.ts';
import { checkStep } from './decoding/check-step.ts';
import { CachedAttention, type KeyValueCache, keyValueCacheKind } from './decoding/key-value-cache.ts';
import { attendOptions } from './options.ts';
import { attentionInputs, denseSequences } from './packing.ts';
import type { AttendOptions, Attention } from './types.ts';

/**
 * Exact attention `softmax(QKᵀ/√dHead)V`: O(lengthQ·lengthK) time, O(lengthQ) extra memory.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`
 * @param values `[batch, heads, lengthK, dValue]`
 * @returns `[batch, heads, lengthQ, dValue]`; zeros for a query that sees no valid key
 */
export function exactAttention(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
  checkTensors('exactAttention', { queries, keys, values });
  checkOptions<AttendOptions>('exactAttention', options, attendOptions);
  return scopeUnlessTracked([queries, keys, values], () =>
    softmaxAttention(attentionInputs(queries, keys, values, options), options),
  );
}

/** Exact attention as a configuration value's meaning. */
export class ExactAttention extends CachedAttention implements Attention<KeyValueCache> {
  attend(queries: Tensor, keys: Tensor, values: Tensor, options?: AttendOptions): Tensor {
    return exactAttention(queries, keys, values, options);
  }

  extend(queries: Tensor, keys: Tensor, values: Tensor, state: KeyValueCache): Tensor {
    checkStep('ExactAttention.extend', state, keyValueCacheKind, { queries, keys, values });
    state.append(keys, values);
    const { batch } = state.sizes;
    return scope(() => {
      const sequences = denseSequences(this.backend, batch, queries.shape[1], state.position);
      const inputs = { queries, keys: state.keys, values: state.values, layout: 'blhd', sequences } as const;
      return softmaxAttention(inputs, { causal: true });
    });
  }

  buffers(): Map<string, Tensor> {
    return new Map();
  }

  redraw(): void {}

  dispose(): void {}
}
