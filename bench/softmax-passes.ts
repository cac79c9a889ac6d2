import type { Backend } from '../src/node.ts';
import { type AttentionShape, attentionInputs, readResults } from './attention-inputs.ts';

export interface SoftmaxPasses {
  forward(): void;
  backward(): void;
  read(): Promise<Record<string, ArrayLike<number>>>;
  release(): void;
}

/** Exact attention on fixed inputs. */
export function softmaxPasses(backend: Backend, shape: AttentionShape, causal: boolean): SoftmaxPasses {
  const inputs = attentionInputs(backend, shape);
  const args = { ...inputs, logSumExp: inputs.perQuery, causal, scale: 1 / Math.sqrt(shape.dHead), normalise: true };
  return {
    forward: () => backend.softmaxAttention(args),
    backward: () => backend.softmaxAttentionBackward(args),
    read: () => readResults(backend, inputs),
    release: inputs.release,
  };
}
