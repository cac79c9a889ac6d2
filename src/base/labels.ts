/**
 * Names of the layers whose code runs now, such as `blocks.3.attention`, for messages about what a layer computes. Kept only
 * while somebody debugs: until then a label costs one test.
 */
import type { Pieces } from './event-loop.ts';

let isKept = false;
let path: readonly string[] = [];

/** From now on labels are kept. */
export function keepLabels(): void {
  isKept = true;
}

export function currentLabel(): string {
  return path.join('.');
}

/** Runs `fn` under a label within those that hold already. */
export function withLabel<T>(label: string, fn: () => T): T {
  return isKept ? within([...path, label], fn) : fn();
}

/** As {@link withLabel}, of work in pieces. */
export function* piecesWithLabel<T>(label: string, pieces: Pieces<T>): Pieces<T> {
  return yield* isKept ? piecesWithin([...path, label], pieces) : pieces;
}

function* piecesWithin<T>(labels: readonly string[], pieces: Pieces<T>): Pieces<T> {
  for (;;) {
    const { done, value } = within(labels, () => pieces.next());
    if (done) return value;
    yield;
  }
}

/** `fn`, which will run later under the labels that hold now, marked as the backward pass. */
export function labelledBackward<A extends unknown[], T extends object>(
  fn: (...args: A) => T | Pieces<T>,
): (...args: A) => T | Pieces<T> {
  if (!isKept) return fn;
  const labels = path.length === 0 ? ['backward'] : [...path.slice(0, -1), `${path.at(-1)} backward`];
  return (...args) => {
    const made = within(labels, () => fn(...args));
    return 'next' in made ? piecesWithin(labels, made) : made;
  };
}

function within<T>(labels: readonly string[], fn: () => T): T {
  const outer = path;
  path = labels;
  try {
    return fn();
  } finally {
    path = outer;
  }
}
