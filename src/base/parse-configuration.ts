import { ConfigurationError } from './errors.ts';
import { safeParse, type z } from './zod.ts';

/**
 * Validates `value` against a schema of strict objects, of zod or of zod/mini.
 * @param where names the file or option in errors
 * @throws ConfigurationError that names the key, the nearest known key if it is unknown, and what was expected.
 */
export function parseConfiguration<S extends z.core.$ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  if (typeof schema !== 'object' || schema === null || !('_zod' in schema) || typeof schema._zod.run !== 'function') {
    throw new ConfigurationError(
      'parseConfiguration: the schema is not one of zod; give a schema such as trainingSchema.',
    );
  }
  const result = safeParse(schema, value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const known = keysAt(schema, value, issue.path);
    const nearest = nearestKey(key, known);
    const fix = nearest ? `did you mean "${nearest}"?` : `known keys are ${known.join(', ')}.`;
    throw new ConfigurationError(
      `Unknown key "${[...issue.path, key].map(String).join('.')}" in ${String(where)}: ${fix}`,
    );
  }
  const path = issue.path.map(String).join('.');
  const message = issue.message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  throw new ConfigurationError(`${path ? `Key "${path}" in ${String(where)}` : String(where)} is invalid: ${message}.`);
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
function keysAt(schema: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  const { options, shape } = unwrap(schema);
  if (options) {
    const fits = options.filter((option) =>
      safeParse(option, value).error?.issues.every((issue) => issue.code === 'unrecognized_keys'),
    );
    return [...new Set(fits.flatMap((option) => keysAt(option, value, path)))];
  }
  if (!shape) return [];
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(shape);
  const child = shape[String(first)];
  return child ? keysAt(child, (value as Record<PropertyKey, unknown>)[first], rest) : [];
}

/** What zod's definitions of schemas hold, as far as keys are concerned. */
interface Definition {
  shape?: Record<string, z.core.$ZodType>;
  options?: z.core.$ZodType[];
  /** The schema inside defaults, optional and nullable values. */
  innerType?: z.core.$ZodType;
  /** The schema of a lazy schema. */
  getter?: () => z.core.$ZodType;
  /** What follows a transformation in a pipe. */
  out?: z.core.$ZodType;
}

/** The definition of the object or union inside defaults, lazy schemas and transformations. */
function unwrap(schema: z.core.$ZodType): Definition {
  const definition = schema._zod.def as Definition;
  const inner = definition.innerType ?? definition.getter?.() ?? definition.out;
  return inner ? unwrap(inner) : definition;
}
