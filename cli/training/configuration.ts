import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseConfiguration, splitSchema, trainingSchema } from '../../src/entries/internal.ts';
import { ConfigurationError, DataError } from '../../src/entries/performers.ts';

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
  /** Values of images. Only the data of images fits this tokenizer, and images fit no other. */
  z.strictObject({ type: z.literal('pixels') }),
]);

/** What `--config FILE.json` may hold; flags override it. */
export const runSchema = z.strictObject({
  /** Directory of the model from which weights, configuration and tokenizer come (`performers finetune`). Default: none. */
  from: z.string().optional(),
  /** Files, globs, folders and `hf://` names. */
  data: z.array(z.string()).default([]),
  /** What `openDataset` takes besides: `format` and the options of the format. */
  dataset: z.record(z.string(), z.unknown()).default({}),
  /** Default: as `openDataset` has it. */
  split: z.optional(splitSchema),
  tokenizer: tokenizer.default({ type: 'bpe', vocabSize: 1024 }),
  /** Keys of the model's config.json; vocabSize follows from the tokenizer. With `from`: those that are to change. */
  model: z.record(z.string(), z.unknown()).default({}),
  training: z.prefault(trainingSchema, {}),
  /** Most batches of 4 rows that an evaluation measures, spread evenly over what is held out. Default: all. */
  evaluationBatches: z.int().min(1).optional(),
});

export type RunConfiguration = z.output<typeof runSchema>;
export type RunOptions = z.input<typeof runSchema>;

/** @throws one sentence when the file is missing, not JSON, or holds an unknown key. */
export async function readRunOptions(path: string): Promise<RunOptions> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'does not exist' : `cannot be read (${error.code})`;
    throw new ConfigurationError(`${path} ${why}: give --config the path of a JSON file.`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path} is not JSON (${(error as Error).message}): fix the file or leave --config out.`);
  }
  parseConfiguration(runSchema, value, path);
  return value as RunOptions;
}
