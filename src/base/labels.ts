/**
 * Names of the layers whose code runs now, such as `blocks.3.attention`, for messages about what a layer computes. Kept only
 * while somebody debugs: until then a label costs one test.
 */
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

/** `fn`, which will run later under the labels that hold now, marked as the backward pass. */
export function labelledBackward<A extends unknown[], T>(fn: (...args: A) => T): (...args: A) => T {
  if (!isKept) return fn;
  const labels = path.length === 0 ? ['backward'] : [...path.slice(0, -1), `${path.at(-1)} backward`];
  return (...args) => within(labels, () => fn(...args));
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
