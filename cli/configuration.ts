import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseConfiguration, trainingSchema } from '../src/node.ts';

/** Add `<mask>`, for training with tokens masked. Default false. */
const mask = z.boolean().optional();

const tokenizer = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('bytes'), mask }),
  z.strictObject({
    type: z.literal('characters'),
    /** Most tokens: the most frequent characters are kept. Default: all that the text has. */
    vocabSize: z.int().min(1).optional(),
    mask,
  }),
  z.strictObject({
    type: z.enum(['bpe', 'unigram']),
    /** Number of tokens, the 256 bytes and special tokens included. */
    vocabSize: z.int().min(256),
    mask,
  }),
  z.strictObject({ type: z.literal('protein') }),
]);

const split = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('tail'), fraction: z.number().gt(0).lt(1) }),
  z.strictObject({ by: z.literal('document'), fraction: z.number().gt(0).lt(1), seed: z.int().min(0).default(0) }),
  z.strictObject({ by: z.literal('none') }),
]);

/** What `--config FILE.json` may hold; flags override it. */
export const runSchema = z.strictObject({
  /** Files and globs. */
  data: z.array(z.string()).default([]),
  split: split.default({ by: 'tail', fraction: 0.1 }),
  tokenizer: tokenizer.default({ type: 'bpe', vocabSize: 1024 }),
  /** Keys of the model's config.json; vocabSize follows from the tokenizer. */
  model: z.record(z.string(), z.unknown()).default({}),
  training: z.prefault(trainingSchema, {}),
});

export type RunConfiguration = z.output<typeof runSchema>;
export type RunConfigurationInput = z.input<typeof runSchema>;

/** @throws one sentence when the file is missing, not JSON, or holds an unknown key. */
export async function readRunConfiguration(path: string): Promise<RunConfigurationInput> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'does not exist' : `cannot be read (${error.code})`;
    throw new Error(`${path} ${why}: give --config the path of a JSON file.`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is not JSON (${(error as Error).message}): mend it or leave --config out.`);
  }
  parseConfiguration(runSchema, value, path);
  return value as RunConfigurationInput;
}
