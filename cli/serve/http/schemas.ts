import { z } from 'zod';
import { badRequest } from '../errors.ts';

const tokenIds = z.array(z.int().min(0)).min(1);
/** Texts or token ids, one or several of either. */
const texts = z.union(
  [z.string(), tokenIds, z.array(z.string()).min(1).max(2048), z.array(tokenIds).min(1).max(2048)],
  {
    error: 'must be a text, a list of texts, a list of token ids, or a list of such lists',
  },
);

/** OpenAI's clients send null for what is not set. */
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);
/** A field that cannot be honoured: only the value that asks for nothing is accepted. */
const unsupported = (neutral: unknown) =>
  z
    .unknown()
    .refine((value) => value == null || JSON.stringify(value) === JSON.stringify(neutral), {
      error: 'is not supported by this server: leave it out',
    })
    .optional();

const stopText = z.string().min(1).max(256);

/** `POST /v1/completions`. */
export const completionSchema = z.strictObject({
  model: optional(z.string()),
  prompt: texts,
  max_tokens: z
    .int()
    .min(0)
    .nullish()
    .transform((value) => value ?? 16),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .transform((value) => value ?? 1),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .transform((value) => value ?? 1),
  /** Not OpenAI's: choose among the k likeliest tokens. */
  top_k: z
    .int()
    .min(0)
    .nullish()
    .transform((value) => value ?? 0),
  n: z
    .int()
    .min(1)
    .max(128)
    .nullish()
    .transform((value) => value ?? 1),
  stop: z
    .union([stopText, z.array(stopText).max(16)])
    .nullish()
    .transform((value) => (typeof value === 'string' ? [value] : (value ?? []))),
  seed: optional(z.int().min(0)),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.strictObject({ include_usage: optional(z.boolean()), include_obfuscation: unsupported(false) }),
  ),
  logprobs: optional(z.int().min(0).max(20)),
  echo: optional(z.boolean()),
  /** A label, without effect here as at OpenAI. */
  user: optional(z.string().max(512)),
  /** Not OpenAI's: continue from what this session holds, and keep what follows. */
  session: optional(
    z.string().regex(/^[\w.:-]{1,128}$/, { error: 'must be 1 to 128 letters, digits or any of _ . : -' }),
  ),
  /** Not OpenAI's: how many tokens the session must hold. */
  session_tokens: optional(z.int().min(0)),
  best_of: optional(z.int()),
  suffix: unsupported(''),
  frequency_penalty: unsupported(0),
  presence_penalty: unsupported(0),
  logit_bias: unsupported({}),
});
export type CompletionBody = z.output<typeof completionSchema>;

/** `POST /v1/embeddings`. */
export const embeddingSchema = z.strictObject({
  model: optional(z.string()),
  input: texts,
  encoding_format: z
    .enum(['float', 'base64'])
    .nullish()
    .transform((value) => value ?? 'float'),
  dimensions: optional(z.int().min(1)),
  user: optional(z.string().max(512)),
});
export type EmbeddingBody = z.output<typeof embeddingSchema>;

/** `POST /v1/classify`, in the form of vLLM. */
export const classificationSchema = z.strictObject({
  model: optional(z.string()),
  input: texts,
  user: optional(z.string().max(512)),
});
export type ClassificationBody = z.output<typeof classificationSchema>;

/** @throws {ApiError} 400 naming the first field at fault */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys;
    const field = [...issue.path, key].join('.').slice(0, 100);
    throw badRequest(`This server does not know the field ${field}: leave it out.`, field, 'unsupported_parameter');
  }
  const field = issue.path.join('.');
  if (field === '') throw badRequest('The body must be a JSON object.');
  const isUnsupported = issue.message.includes('not supported');
  throw badRequest(
    `The field ${field} is wrong: ${issue.message}.`,
    field,
    isUnsupported ? 'unsupported_parameter' : undefined,
  );
}

/** The texts or token ids of a field, as a list. */
export function listOf(value: z.output<typeof texts>): readonly (string | readonly number[])[] {
  if (typeof value === 'string') return [value];
  const isRow = (list: readonly unknown[]): list is readonly number[] => typeof list[0] === 'number';
  return isRow(value) ? [value] : (value as readonly (string | readonly number[])[]);
}
