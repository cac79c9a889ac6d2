import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';

/** A parsed config.json and its path. */
export interface ConfigFile {
  readonly where: string;
  readonly json: unknown;
}

export const size = () => z.int().check(z.minimum(1));
export const id = () => z.int().check(z.minimum(0));
const probability = () => z._default(z.number().check(z.minimum(0), z.lt(1)), 0.1);

/** What config.json says about every model. */
export const common = () => ({
  architectures: z.nullish(z.array(z.string())),
  id2label: z.optional(z.record(z.string(), z.unknown())),
  num_labels: z.optional(z.int()),
  tie_word_embeddings: z._default(z.boolean(), true),
});

/** What the encoders' config.json have in common. */
export const encoder = () => ({
  ...common(),
  hidden_size: size(),
  num_hidden_layers: size(),
  num_attention_heads: size(),
  intermediate_size: size(),
  layer_norm_eps: z._default(z.number().check(z.positive()), 1e-12),
  hidden_dropout_prob: probability(),
});

/**
 * The settings that a schema names.
 *
 * @throws DataError that names the first setting which is missing or not valid
 */
export function readConfig<S extends z.core.$ZodType>(schema: S, { where, json }: ConfigFile): z.output<S> {
  const result = safeParse(schema, json);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const reason = message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  throw new DataError(`${path.length > 0 ? `"${path.join('.')}" in ` : ''}${where} is not valid: ${reason}.`);
}

/**
 * Refuses settings that would change the numbers. A setting that is left out is as supported.
 *
 * @param supported by setting, the values that we compute; null counts as left out
 */
export function refuseOthers(
  { where, json }: ConfigFile,
  supported: Readonly<Record<string, readonly unknown[]>>,
): void {
  for (const [key, values] of Object.entries(supported)) {
    const value = (json as Record<string, unknown>)[key];
    if (value === undefined || value === null || values.includes(value)) continue;
    const list = values.map((choice) => JSON.stringify(choice)).join(' or ');
    throw new DataError(
      `${where} sets ${key} to ${JSON.stringify(value)}, and only ${list} is supported: choose a model that has it.`,
    );
  }
}

/** Our names of the activations; gelu_fast and gelu_pytorch_tanh are gelu_new in other words. */
const ACTIVATIONS = new Map<string, 'gelu' | 'geluTanh' | 'relu'>([
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['gelu_new', 'geluTanh'],
  ['gelu_pytorch_tanh', 'geluTanh'],
  ['gelu_fast', 'geluTanh'],
  ['relu', 'relu'],
]);

/** @throws DataError when we have no such activation */
export function activationOf({ where }: ConfigFile, key: string, name: string): 'gelu' | 'geluTanh' | 'relu' {
  const activation = ACTIVATIONS.get(name);
  if (activation) return activation;
  throw new DataError(
    `${where} sets ${key} to ${JSON.stringify(name)}, and only ${[...ACTIVATIONS.keys()].join(', ')} are supported: choose a model that has one.`,
  );
}

/** Their name of an activation of ours. */
export function activationName(activation: 'gelu' | 'geluTanh' | 'relu'): string {
  return { gelu: 'gelu', geluTanh: 'gelu_new', relu: 'relu' }[activation];
}

interface Labelled {
  readonly architectures?: readonly string[] | null | undefined;
  readonly id2label?: Record<string, unknown> | undefined;
  readonly num_labels?: number | undefined;
}

/**
 * Number of classes, if the model has a head for them.
 *
 * @param head how the architecture's name ends
 * @throws DataError for fewer than two, which is regression
 */
export function classesOf({ where }: ConfigFile, config: Labelled, head: string): number | undefined {
  if (!isFor(config, head)) return undefined;
  const count = config.id2label ? Object.keys(config.id2label).length : (config.num_labels ?? 2);
  if (count >= 2) return count;
  throw new DataError(
    `${where} has ${count} class, and a classification head needs two: a head for regression is not supported.`,
  );
}

/** Whether one of the architectures' names ends so. */
export function isFor({ architectures }: Labelled, ...heads: readonly string[]): boolean {
  return architectures?.some((name) => heads.some((head) => name.endsWith(head))) ?? false;
}
