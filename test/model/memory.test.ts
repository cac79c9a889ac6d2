import { expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const length = 29;
const sizes = { vocabSize: 11, dModel: 6, numHeads: 3, dFeedForward: 70, positions: 'none' } as const;

/** Most numbers held at once during a pass, beyond what the model holds. */
async function peak(
  numLayers: number,
  pass: 'forward' | 'gradients',
  options: Partial<TransformerOptions> = {},
): Promise<number> {
  const inner = createReferenceBackend();
  let [held, most] = [0, 0];
  const backend = new Proxy(inner, {
    get(target, key: keyof typeof inner) {
      const value = target[key];
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        if (key === 'release') held -= (given[0] as { length: number }).length;
        const result: unknown = Reflect.apply(value, target, given);
        if (key === 'allocate' || key === 'upload') held += (result as { length: number }).length;
        most = Math.max(most, held);
        return result;
      };
    },
  });
  const model = new Transformer(backend, { ...sizes, numLayers, ...options });
  const ids = tensor(backend, new Int32Array(length), [1, length]);
  const before = held;
  most = held;
  if (pass === 'forward') scope(() => model.forward(ids)).dispose();
  else scope(() => void valueAndGradients(() => model.forward(ids), [...model.parameters().values()]));
  expect(held).toBe(before);
  return most - before;
}

it('a forward pass without gradients holds one layer at a time: another layer costs no more than its output', async () => {
  const [few, many] = [await peak(2, 'forward'), await peak(5, 'forward')];
  expect(many - few).toBeLessThanOrEqual(3 * length * sizes.dModel);
  // With gradients, what the feed-forward layers made is kept.
  const kept = (await peak(5, 'gradients')) - (await peak(2, 'gradients'));
  expect(kept).toBeGreaterThan(3 * length * 2 * sizes.dFeedForward);
});

it('gradients of reversible layers hold one layer at a time: another layer costs no more than its gradients', async () => {
  const reversible = { reversible: true, attention: 'exact' } as const;
  const [few, many] = [await peak(2, 'gradients', reversible), await peak(5, 'gradients', reversible)];
  const { dModel, dFeedForward } = sizes;
  const parameters = 4 * (dModel + 1) * dModel + 2 * dModel * dFeedForward + dModel + dFeedForward + 4 * dModel;
  expect(many - few).toBe(3 * parameters);
});

it('a feed-forward layer in pieces holds its inner activations for one piece alone', async () => {
  // Those of one layer, twice: before and after the activation; in the backward pass their gradients too.
  const inner = length * sizes.dFeedForward;
  for (const [pass, share] of [
    ['forward', 2],
    ['gradients', 3],
  ] as const) {
    const [whole, pieces] = [1, 29].map((feedForwardChunks) =>
      peak(1, pass, { feedForwardChunks, attention: 'exact' }),
    );
    expect((await whole) - (await pieces)).toBeGreaterThan(share * inner * 0.7);
  }
});
