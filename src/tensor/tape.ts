/**
 * Reverse-mode differentiation. While a tape is on, every op that touches a tracked tensor records its adjoint; the
 * tape is then read backwards. Each op's file in ops/ holds its forward and its adjoint side by side.
 */
import { ConfigurationError, DataError } from '../base/errors.ts';
import { atOnce, type Pauses, type Pieces } from '../base/event-loop.ts';
import { labelledBackward } from '../base/labels.ts';
import { scope, scoped, scopeInSteps } from './scope.ts';
import { checkShape } from './shape.ts';
import { checkTensors, namedTensors, Tensor } from './tensor.ts';

/**
 * Maps the gradient of an op's output to those of its inputs.
 * `needed[i]` says whether input i is tracked; entries of the result that are not needed may be undefined.
 * Returned tensors are the tape's; to pass the gradient itself on, return `gradient.view(shape)`.
 * `isSeed` is true when the gradient is the tape's own: all ones. A long adjoint may be work in pieces.
 */
type Adjoint = (
  gradient: Tensor,
  needed: readonly boolean[],
  isSeed: boolean,
) => (Tensor | undefined)[] | Pieces<(Tensor | undefined)[]>;

interface Entry {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly adjoint: Adjoint;
}

class Tape {
  readonly entries: Entry[] = [];
  readonly tracked: Set<Tensor>;

  constructor(parameters: readonly Tensor[]) {
    this.tracked = new Set(parameters);
  }
}

let current: Tape | undefined;

/**
 * Called by every op with its result; returns that result.
 *
 * @param saved what only the adjoint needs: disposed at once when no tape tracks the inputs
 */
export function record(
  inputs: readonly Tensor[],
  output: Tensor,
  adjoint: Adjoint,
  saved: readonly Tensor[] = [],
): Tensor {
  if (current && isTracked(...inputs)) {
    current.tracked.add(output);
    current.entries.push({ inputs, output, adjoint: labelledBackward(adjoint) });
  } else {
    for (const tensor of saved) tensor.dispose();
  }
  return output;
}

/** True while a tape is on that tracks one of `inputs`. */
export function isTracked(...inputs: readonly Tensor[]): boolean {
  const tape = current;
  return tape !== undefined && inputs.some((input) => tape.tracked.has(input));
}

/** Runs `fn` on `inputs`, in a scope of its own unless a tape needs what it makes. */
export function scopeUnlessTracked<T>(inputs: readonly Tensor[], fn: () => T): T {
  return isTracked(...inputs) ? fn() : scope(fn);
}

/** As {@link scopeUnlessTracked}, of work in pieces. */
export function scopedUnlessTracked<T>(inputs: readonly Tensor[], pieces: Pieces<T>): Pieces<T> {
  return isTracked(...inputs) ? pieces : scoped(pieces);
}

/** Runs `fn` with the tape off: nothing that it does is recorded. */
export function untaped<T>(fn: () => T): T {
  const held = current;
  current = undefined;
  try {
    return fn();
  } finally {
    current = held;
  }
}

/**
 * Runs `loss` and differentiates the sum of its elements by each of `parameters`. An adjoint may call this.
 *
 * @param loss builds a tensor, or several that are parts of one loss, from the parameters by ops. Everything else that
 *   `loss` makes is freed before this returns.
 * @param seed weighs the elements in that sum (a vector–Jacobian product); shaped like the one tensor of the loss. Default:
 *   all ones.
 * @returns what `loss` gave and one gradient for each parameter, in order. Gradients are zeros where the loss does not
 *   depend on a parameter. The caller (or its scope) disposes them.
 */
export function valueAndGradients<Loss extends Tensor | readonly Tensor[]>(
  loss: () => Loss,
  parameters: readonly Tensor[],
  seed?: Tensor,
): { value: Loss; gradients: Tensor[] } {
  if (typeof loss !== 'function')
    throw new DataError('valueAndGradients: the loss must be a function that returns a tensor.');
  const inOnePiece = function* () {
    yield;
    return loss();
  };
  return scope(() => atOnce(differentiate(inOnePiece, parameters, seed)));
}

/**
 * As {@link valueAndGradients}, of a loss in pieces: the event loop may turn between these, and between ops of the backward pass.
 * The caller disposes the results.
 *
 * @throws the reason of the pauses' signal, if it has aborted
 */
export function valueAndGradientsInSteps<Loss extends Tensor | readonly Tensor[]>(
  loss: () => Pieces<Loss>,
  parameters: readonly Tensor[],
  pauses: Pauses,
): Promise<{ value: Loss; gradients: Tensor[] }> {
  return scopeInSteps(differentiate(loss, parameters), pauses);
}

function* differentiate<Loss extends Tensor | readonly Tensor[]>(
  loss: () => Pieces<Loss>,
  parameters: readonly Tensor[],
  seed?: Tensor,
): Pieces<{ value: Loss; gradients: Tensor[] }> {
  if (!Array.isArray(parameters)) throw new DataError('valueAndGradients: the parameters must be an array of tensors.');
  checkTensors('valueAndGradients', namedTensors('parameters', parameters));
  const tape = new Tape(parameters);
  const pieces = loss();
  let piece = taped(tape, () => pieces.next());
  while (!piece.done) {
    yield;
    piece = taped(tape, () => pieces.next());
  }
  const { value } = piece;
  if (!(value instanceof Tensor || Array.isArray(value))) {
    throw new DataError('valueAndGradients: the loss must return a tensor, or an array of tensors.');
  }
  checkTensors('valueAndGradients', value instanceof Tensor ? { value } : { ...value });
  const gradients = yield* backward(tape, value instanceof Tensor ? [value] : value, seed);
  return { value, gradients: parameters.map((p) => gradients.get(p) ?? Tensor.zeros(p.backend, p.shape)) };
}

/** Runs `fn` with a tape on. */
function taped<T>(tape: Tape, fn: () => T): T {
  if (current)
    throw new ConfigurationError('valueAndGradients: a tape is already on; gradients of gradients are not supported.');
  try {
    current = tape;
    return fn();
  } finally {
    current = undefined;
  }
}

function* backward(tape: Tape, roots: readonly Tensor[], given?: Tensor): Pieces<Map<Tensor, Tensor>> {
  if (given) checkShape('valueAndGradients: the seed', given.shape, roots[0].shape);
  const gradients = new Map(roots.map((root) => [root, given ? given.view() : ones(root)]));
  const seeds = new Set(given ? [] : gradients.values());
  for (const { inputs, output, adjoint } of tape.entries.reverse()) {
    const gradient = gradients.get(output);
    if (!gradient) continue;
    yield;
    gradients.delete(output);
    const needed = inputs.map((input) => tape.tracked.has(input));
    const found = adjoint(gradient, needed, seeds.has(gradient));
    const results = Array.isArray(found) ? found : yield* found;
    inputs.forEach((input, i) => {
      const result = results[i];
      if (!needed[i] || !result) return;
      checkShape('A gradient', result.shape, input.shape);
      const earlier = gradients.get(input);
      gradients.set(input, earlier ? accumulate(earlier, result) : result);
    });
    gradient.dispose();
  }
  return gradients;
}

function ones({ backend, shape }: Tensor): Tensor {
  const filled = Tensor.empty(backend, shape);
  backend.fill(filled.storage, 1);
  return filled;
}

/** Sum of two gradients, in place where nobody else sees the memory; disposes of what it does not return. */
export function accumulate(a: Tensor, b: Tensor): Tensor {
  if (!a.isSoleOwner && !b.isSoleOwner) {
    const total = Tensor.empty(a.backend, a.shape);
    a.backend.add(a.storage, b.storage, total.storage);
    a.dispose();
    b.dispose();
    return total;
  }
  const [target, other] = a.isSoleOwner ? [a, b] : [b, a];
  target.backend.axpy(1, other.storage, target.storage);
  other.dispose();
  return target;
}
