/** What a model's directory keeps of the files that were beside a model of the library transformers. */

import { DataError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import { safeParse, z } from '../base/zod.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';

/** Name of the file in a model's directory that holds the companions, as one JSON object by file name. */
export const COMPANIONS = 'hugging-face.json';

/** The contents of JSON files, by name. */
export type Companions = Readonly<Record<string, unknown>>;

const NAME = /^(?:[\w-]+\/)?[\w-]+\.json$/;

const schema = z.lazy(() => z.record(z.string().check(z.regex(NAME)), z.unknown()));

/** The companions that a model's directory holds. @throws DataError when they are not valid */
export function parseCompanions(json: unknown, where: string): Companions {
  checkArguments('parseCompanions', { where }, { where: option.string });
  const result = safeParse(schema, json);
  if (result.success) return result.data;
  throw new DataError(`${where} is no object of JSON files by name: restore it from a copy, or remove it.`);
}

/** Contents of a companion that is an object; an empty object where there is no companion. */
export function companion(companions: Companions, name: string): Readonly<Record<string, unknown>> {
  const value = companions[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** Companions that are written as they are; the others are written anew, with what is kept of them. */
export function unchangedCompanions(companions: Companions): [name: string, contents: unknown][] {
  checkArguments('unchangedCompanions', { companions }, { companions: option.object });
  return Object.entries(companions).filter(([name]) => name !== 'config.json' && name !== 'tokenizer_config.json');
}

/** Keys of config.json that are no longer true of a model that is written: its numbers are float32. */
const STALE = ['torch_dtype', 'dtype', 'quantization_config', 'auto_map', '_name_or_path', 'transformers_version'];

/** What config.json said, except for what is no longer true. */
export function keptConfig(companions: Companions): Record<string, unknown> {
  checkArguments('keptConfig', { companions }, { companions: option.object });
  return Object.fromEntries(
    Object.entries(companion(companions, 'config.json')).filter(([key]) => !STALE.includes(key)),
  );
}

/**
 * Names of the classes as config.json gave them, by index. Undefined where config.json gave no names, or not as many.
 */
export function classNames(
  companions: Companions,
  configuration: Pick<TransformerConfiguration, 'numClasses'>,
): string[] | undefined {
  checkArguments(
    'classNames',
    { companions, configuration },
    { companions: option.object, configuration: option.object },
  );
  const { numClasses } = configuration;
  const labels = companion(companion(companions, 'config.json'), 'id2label');
  if (numClasses === 0 || Object.keys(labels).length !== numClasses) return undefined;
  const names = Array.from({ length: numClasses }, (_, i) => labels[i]);
  return names.every((name) => typeof name === 'string') ? names : undefined;
}

/**
 * Tokens at which the library sentence-transformers cuts a text, special tokens included. That is max_seq_length or,
 * where the files do not say, what the tokenizer and the positions allow. Undefined for a model that is not one of
 * sentences.
 */
export function sentenceLength(
  companions: Companions,
  { positions, maxLength }: Pick<TransformerConfiguration, 'positions' | 'maxLength'>,
): number | undefined {
  const { max_seq_length: stated } = companion(companions, 'sentence_bert_config.json');
  if (isCount(stated)) return stated;
  if (!('modules.json' in companions)) return undefined;
  const { model_max_length: ofTokenizer } = companion(companions, 'tokenizer_config.json');
  const least = Math.min(
    isCount(ofTokenizer) ? ofTokenizer : Number.POSITIVE_INFINITY,
    positions === 'learned' ? maxLength : Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(least) ? least : undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** Far more than anybody names. */
const MAX_CLASSES = 2 ** 24;

/** `id2label` and `label2id` of classes. Classes without names are named as transformers names them. */
export function classLabels(
  companions: Companions,
  configuration: Pick<TransformerConfiguration, 'numClasses'>,
): Record<string, unknown> {
  checkArguments(
    'classLabels',
    { companions, configuration },
    { companions: option.object, configuration: option.object },
  );
  const { numClasses } = configuration;
  checkArguments('classLabels', { numClasses }, { numClasses: option.optional(option.upTo(MAX_CLASSES)) });
  if (numClasses === undefined) return {};
  const names = classNames(companions, configuration) ?? Array.from({ length: numClasses }, (_, i) => `LABEL_${i}`);
  return {
    id2label: Object.fromEntries(names.map((name, i) => [i, name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
  };
}
