import type { z } from 'zod';

/**
 * Validates `value` against a schema of strict objects.
 * @param where names the file or option in errors
 * @throws one sentence that names the key, the nearest known key if it is unknown, and what was expected.
 */
export function parseConfiguration<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const known = keysAt(schema, value, issue.path);
    const nearest = nearestKey(key, known);
    const mend = nearest ? `did you mean "${nearest}"?` : `known keys are ${known.join(', ')}.`;
    throw new Error(`Unknown key "${[...issue.path, key].join('.')}" in ${where}: ${mend}`);
  }
  const path = issue.path.join('.');
  const message = issue.message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  throw new Error(`${path ? `Key "${path}" in ${where}` : where} is invalid: ${message}.`);
}

/** The known key within two edits (or a third of its length) of `key`, ignoring case and punctuation. */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  let nearest: string | undefined;
  let best = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(plain(key), plain(candidate));
    if (distance < best && distance <= Math.max(2, candidate.length / 3)) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Keys of the object schema that `path` leads to, in the branches of a union that `value` otherwise fits. */
function keysAt(schema: z.ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  const inner = unwrap(schema);
  if (inner.options) {
    const fits = inner.options.filter((option) =>
      option.safeParse(value).error?.issues.every((issue) => issue.code === 'unrecognized_keys'),
    );
    return [...new Set(fits.flatMap((option) => keysAt(option, value, path)))];
  }
  if (!inner.shape) return [];
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(inner.shape);
  const child = inner.shape[String(first)];
  return child ? keysAt(child, (value as Record<PropertyKey, unknown>)[first], rest) : [];
}

interface Inner {
  shape?: Record<string, z.ZodType>;
  options?: z.ZodType[];
}

function unwrap(schema: z.ZodType): Inner {
  let current = schema as z.ZodType & { unwrap?: () => z.ZodType };
  while (typeof current.unwrap === 'function') current = current.unwrap() as typeof current;
  return current as Inner;
}
