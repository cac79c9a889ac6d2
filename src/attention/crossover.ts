import type { BackendName } from '../backend/types.ts';
import { checkArguments, option } from '../base/options.ts';

/**
 * Time of a flop of exact attention over that of a flop of FAVOR+, forward. Measured on two Zen 4 cores with 8 heads of
 * 64 and 256 features (`npm run bench -- lengths softmax-attention favor-causal`). The reference backend has the
 * numbers of the native backend, whose oracle it is.
 */
const costOfExactFlop: Record<BackendName, { bidirectional: number; causal: number }> = {
  native: { bidirectional: 0.97, causal: 0.91 },
  wasm: { bidirectional: 1.02, causal: 0.95 },
  reference: { bidirectional: 0.97, causal: 0.91 },
};

/**
 * The length from which FAVOR+ with `numFeatures` features is faster, forward, with as many queries as keys.
 *
 * For every query exact attention takes 2·(dHead + dValue) flops and an exponential for each key it sees. A query sees
 * all of the `length`, or half of it if causal. FAVOR+ takes the same for each feature twice, once for the query and
 * once for a key. The flops are therefore equal at 2·numFeatures and, causal, at 4·numFeatures, whatever the widths.
 * The measured cost of a flop shifts these lengths. A near field adds three blocks of keys to a query, or one and a half
 * if causal. Bidirectional near fields go over the sequence twice.
 */
export function crossoverLength(backend: BackendName, numFeatures: number, causal: boolean, block = 0): number {
  checkArguments(
    'crossoverLength',
    { backend, numFeatures, causal, block },
    {
      ...{ backend: option.oneOf('native', 'wasm', 'reference'), numFeatures: option.count },
      ...{ causal: option.boolean, block: option.natural },
    },
  );
  const cost = costOfExactFlop[backend];
  const features = block === 0 && !causal ? 2 * numFeatures : 4 * numFeatures;
  return Math.round((features + 3 * block) / (causal ? cost.causal : cost.bidirectional));
}
