import { type FavorFeatures, snapshotsLength } from '../../src/entries/internal.ts';
import type { Backend } from '../../src/entries/performers.ts';
import { type AttentionShape, attentionInputs, favorState, type Passes, readResults } from './attention-inputs.ts';

/** FAVOR+ on fixed inputs, with given features or with `numFeatures` positive ones; rows are divided by their sums if weight is 0. */
export function favorPasses(
  backend: Backend,
  shape: AttentionShape,
  features: number | (FavorFeatures & { readonly stabiliser: number }),
  causal: boolean,
  weight = 0,
): Passes {
  const given = typeof features === 'object' ? features : undefined;
  const numFeatures = typeof features === 'object' ? features.numFeatures : features;
  const inputs = attentionInputs(backend, shape, given ? 0 : numFeatures);
  const state = favorState(backend, shape.heads, numFeatures, shape.dHead);
  const { release: releaseState, ...states } = state;
  const snapshots = backend.allocate(snapshotsLength(inputs, numFeatures));
  const args = { ...inputs, ...given, weight, denominator: inputs.perQuery, snapshots };
  return {
    forward: () => (causal ? backend.favorCausal(args) : backend.favor({ ...args, ...states })),
    backward: () => (causal ? backend.favorCausalBackward(args) : backend.favorBackward({ ...args, ...states })),
    read: () => readResults(backend, inputs),
    release: () => {
      inputs.release();
      releaseState();
      backend.release(snapshots);
    },
  };
}
