/** Work in pieces: what others do while it pauses is not its own. */
import { expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Pauses } from '../../src/base/event-loop.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { scope, scopeInSteps } from '../../src/tensor/scope.ts';
import { valueAndGradients, valueAndGradientsInSteps } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';

const backend = createReferenceBackend();
const x = tensor(backend, [3], [1]);

/** A loss that is cut after its first product. */
const cube = (made: Tensor[] = []) =>
  function* () {
    made.push(multiply(x, x));
    yield;
    return multiply(made[0], x);
  };

/** Pauses between any two pieces, during which `meanwhile` runs. */
function pausing(meanwhile: () => void, signal?: AbortSignal): Pauses {
  const pauses = new Pauses(signal);
  Object.defineProperty(pauses, 'isDue', { value: true });
  pauses.next = async () => {
    meanwhile();
    signal?.throwIfAborted();
  };
  return pauses;
}

it('differentiates in pieces, whatever others differentiate meanwhile', async () => {
  const others: Tensor[] = [];
  const meanwhile = () => {
    const { value, gradients } = valueAndGradients(() => multiply(x, x), [x]);
    others.push(value, gradients[0]);
  };
  const { value, gradients } = await valueAndGradientsInSteps(cube(), [x], pausing(meanwhile));
  expect([...(await value.data()), ...(await gradients[0].data())]).toEqual([27, 27]);
  // Four pieces at least: two of the loss, two of the backward pass. No piece freed what was made between them.
  expect(others.length).toBeGreaterThanOrEqual(8);
  for (const other of others) expect([9, 6]).toContain((await other.data())[0]);
});

it('frees what it made when a signal stops it', async () => {
  const made: Tensor[] = [];
  const stop = new AbortController();
  let pieces = 0;
  const pauses = pausing(() => {
    if (++pieces === 2) stop.abort(new Error('enough'));
  }, stop.signal);
  await expect(valueAndGradientsInSteps(cube(made), [x], pauses)).rejects.toThrow('enough');
  await expect(made[0].data()).rejects.toThrow(/disposal/);
  // The tape is off again.
  expect(await valueAndGradients(() => multiply(x, x), [x]).value.data()).toEqual(Float64Array.of(9));
});

it('ends the blocks of work that is stopped', async () => {
  let ended = false;
  const work = function* () {
    try {
      yield;
    } finally {
      ended = true;
    }
  };
  const stop = new AbortController();
  const pauses = pausing(() => {
    if (ended) throw new Error('too late');
  });
  await scopeInSteps(work(), pauses);
  ended = false;
  let pieces = 0;
  const stopped = pausing(() => {
    if (++pieces === 2) stop.abort();
  }, stop.signal);
  await expect(scopeInSteps(work(), stopped)).rejects.toThrow();
  expect(ended).toBe(true);
  expect(scope(() => multiply(x, x)).shape).toEqual([1]);
});
