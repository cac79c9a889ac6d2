import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';
import { type PretrainedFiles, pathOf, readJson } from '../../storage/files.ts';

/** How sentence-transformers makes the vector of a sentence from a model's hidden states. */
export interface SentencePooling {
  /** Of the positions, special tokens included. */
  readonly pooling: 'mean' | 'first' | 'last';
  /** Whether the vector is scaled to length 1. */
  readonly normalize: boolean;
  /** Longest input in tokens, special tokens included; undefined = as the model has positions. */
  readonly maxLength: number | undefined;
}

const modulesSchema = z.lazy(() => z.array(z.looseObject({ path: z.string(), type: z.string() })));
const poolingSchema = z.lazy(() =>
  z.object({
    pooling_mode: z.optional(z.union([z.string(), z.array(z.string())])),
    pooling_mode_cls_token: z.optional(z.boolean()),
    pooling_mode_mean_tokens: z.optional(z.boolean()),
    pooling_mode_lasttoken: z.optional(z.boolean()),
    pooling_mode_max_tokens: z.optional(z.boolean()),
    pooling_mode_mean_sqrt_len_tokens: z.optional(z.boolean()),
    pooling_mode_weightedmean_tokens: z.optional(z.boolean()),
  }),
);
const sentencesSchema = z.lazy(() => z.object({ max_seq_length: z.nullish(z.int().check(z.minimum(1))) }));

const KINDS = new Map<string, SentencePooling['pooling']>([
  ['cls', 'first'],
  ['pooling_mode_cls_token', 'first'],
  ['mean', 'mean'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['lasttoken', 'last'],
  ['pooling_mode_lasttoken', 'last'],
]);
const SENTENCES = 'sentence_bert_config.json';

/**
 * What modules.json says about vectors of sentences, or 1_Pooling/config.json alone.
 *
 * @returns undefined where there is neither; `unused` names modules that are not read, such as dense layers
 * @throws DataError for a pooling that is not supported, and for files that are not valid
 */
export async function readSentencePooling(
  files: PretrainedFiles,
): Promise<{ pooling: SentencePooling; unused: string[] } | undefined> {
  const modules = await readModules(files);
  const body = modules.find(({ type }) => kindOfModule(type) === 'Transformer');
  if (body && body.path !== '' && body.path !== '.') {
    throw new DataError(
      `${pathOf(files, 'modules.json')} says that the model is in ${body.path}, as older sentence-transformers wrote: move that folder's files beside modules.json, with its path "".`,
    );
  }
  const pooling = modules.find(({ type }) => kindOfModule(type) === 'Pooling');
  const name = `${pooling?.path ?? '1_Pooling'}/config.json`;
  if (!files.names.includes(name)) {
    if (pooling) throw new DataError(`${pathOf(files, name)} is missing, which modules.json names: fetch it too.`);
    return undefined;
  }
  return {
    pooling: {
      pooling: await readKind(files, name),
      normalize: modules.some(({ type }) => kindOfModule(type) === 'Normalize'),
      maxLength: await readMaxLength(files),
    },
    unused: modules
      .filter(({ type }) => kindOfModule(type) === undefined)
      .map(({ path, type }) => `modules.json: ${path} (${type})`),
  };
}

/** Which of the modules that this package reads a type is. */
export function kindOfModule(type: string): 'Transformer' | 'Pooling' | 'Normalize' | undefined {
  return (['Transformer', 'Pooling', 'Normalize'] as const).find((kind) => type.endsWith(`.${kind}`));
}

/** What modules.json lists; nothing where there is no such file. */
export async function readModules(files: PretrainedFiles) {
  if (!files.names.includes('modules.json')) return [];
  const modules = safeParse(modulesSchema, await readJson(files, 'modules.json'));
  if (modules.success) return modules.data;
  throw new DataError(`${pathOf(files, 'modules.json')} is no list of paths and types: restore it from a copy.`);
}

async function readKind(files: PretrainedFiles, name: string): Promise<SentencePooling['pooling']> {
  const config = safeParse(poolingSchema, await readJson(files, name));
  if (!config.success) throw new DataError(`${pathOf(files, name)} is not valid: restore it from a copy.`);
  const { pooling_mode: mode, ...flags } = config.data;
  const modes = mode === undefined ? Object.entries(flags).flatMap(([key, on]) => (on ? [key] : [])) : [mode].flat();
  const kind = modes.length === 1 ? KINDS.get(modes[0]!) : undefined;
  if (kind) return kind;
  throw new DataError(
    `${pathOf(files, name)} asks for the pooling ${modes.join(' with ') || 'of nothing'}, and only the mean, the first or the last token is supported: remove the file to choose another.`,
  );
}

async function readMaxLength(files: PretrainedFiles): Promise<number | undefined> {
  if (!files.names.includes(SENTENCES)) return undefined;
  const config = safeParse(sentencesSchema, await readJson(files, SENTENCES));
  if (!config.success) throw new DataError(`${pathOf(files, SENTENCES)} is not valid: restore it from a copy.`);
  return config.data.max_seq_length ?? undefined;
}
