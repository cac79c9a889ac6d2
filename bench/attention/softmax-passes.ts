import type { Backend } from '../../src/entries/performers.ts';
import { type AttentionShape, attentionInputs, type Passes, readResults } from './attention-inputs.ts';

/** Exact attention on fixed inputs. */
export function softmaxPasses(backend: Backend, shape: AttentionShape, causal: boolean): Passes {
  const inputs = attentionInputs(backend, shape);
  const args = { ...inputs, logSumExp: inputs.perQuery, causal, scale: 1 / Math.sqrt(shape.dHead), normalise: true };
  return {
    forward: () => backend.softmaxAttention(args),
    backward: () => backend.softmaxAttentionBackward(args),
    read: () => readResults(backend, inputs),
    release: inputs.release,
  };
}
