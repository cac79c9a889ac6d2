import { ConfigurationError, DataError, ShapeError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { safeParse } from '../../base/zod.ts';
import {
  type TransformerConfiguration,
  type TransformerOptions,
  transformerSchema,
} from '../../model/configuration.ts';
import type { Companions } from '../../storage/companions.ts';
import { filesInMemory, type PretrainedFiles, pathOf, readJson } from '../../storage/files.ts';
import type { TensorEntry } from '../../storage/safetensors.ts';
import { checkModelSize } from '../../storage/weights.ts';
import { checkDrawable } from '../../tensor/shape.ts';
import { familyOfFile } from './architectures/families.ts';
import type { Family, FamilyName, NamedTensor } from './architectures/family.ts';
import { readCompanions, withSentenceLength } from './read-companions.ts';
import { readSentencePooling, type SentencePooling } from './sentence-pooling.ts';
import { openTensors, type StoredTensors } from './stored-tensors.ts';
import { resizedPositions } from './tensor-forms.ts';
import { readTokenizer, type TokenizerFile } from './tokenizer-files.ts';

/** A model of the library transformers, as one of ours. */
export interface Pretrained {
  readonly family: FamilyName;
  /** With exact attention. */
  readonly configuration: TransformerConfiguration;
  /** Every parameter of a Transformer of this configuration, by its name there. */
  readonly weights: ReadonlyMap<string, TensorEntry>;
  /** The contents of tokenizer.json, for `loadAnyTokenizer`; undefined for a model without a tokenizer. */
  readonly tokenizer: TokenizerFile | undefined;
  /** The files that the tokenizer was read of, for errors. */
  readonly tokenizerFrom: string | undefined;
  /** How sentence-transformers makes vectors of sentences, if the directory says; the configuration's `pooling` follows it. */
  readonly pooling: SentencePooling | undefined;
  /** What the files beside the model say, for an export of it. */
  readonly companions: Companions;
  /** Tensors, modules, settings and files that the model has no place for, such as heads of other tasks. */
  readonly unused: readonly string[];
}

export interface ReadOptions extends Stoppable {
  /** Longest sequence, in tokens: learned positions are interpolated linearly to it, or cut. Default: as the model was trained. */
  readonly maxLength?: number | undefined;
}

const CONFIG = 'config.json';

/**
 * Reads a model in Hugging Face's layout: config.json, model.safetensors or its shards, the tokenizer's files, those of
 * sentence-transformers. BERT, RoBERTa, XLM-R, GPT-2, ESM-2 and ViT are known. Float16 and bfloat16 become float32.
 * Tensors are read one at a time, so that memory holds the weights once.
 *
 * @param files a directory's files, in memory by name or wherever they are
 * @throws DataError when a file is missing
 * @throws DataError naming the file that is damaged or a pickle
 * @throws DataError naming the tensor that is missing, or of another shape or type
 * @throws DataError when the architecture or a setting is not supported
 */
export async function readHuggingFace(
  files: PretrainedFiles | ReadonlyMap<string, Uint8Array>,
  reading: ReadOptions = {},
): Promise<Pretrained> {
  checkArguments(
    'readHuggingFace',
    { files, reading },
    {
      files: filesKind,
      reading: option.object,
    },
  );
  checkOptions<ReadOptions>('readHuggingFace', reading, { maxLength: option.number, signal: option.signal });
  const { maxLength, signal } = reading;
  const pauses = new Pauses(signal);
  await pauses.next();
  const source = files instanceof Map ? filesInMemory(files) : (files as PretrainedFiles);
  if (!source.names.includes(CONFIG)) {
    if (source.names.includes('adapter_config.json')) await openTensors(source);
    await readSentencePooling(source);
    throw new DataError(
      `${pathOf(source, CONFIG)} is missing: name a directory that holds a model in Hugging Face's layout.`,
    );
  }
  const file = { where: pathOf(source, CONFIG), json: await readJson(source, CONFIG) };
  const family = familyOfFile(file);
  const stored = await openTensors(source);
  const names = canonicalNames(stored, family);
  const { options, ids } = family.configure(file, (name) => names.has(name));
  const sentences = await readSentencePooling(source);
  /** The library ties no tensors that a file has both with other numbers, whatever config.json says. */
  const hasOwnOutput = async (tied: TransformerConfiguration) => {
    const row = family.tensors(tied, ids).find(({ ours: [name] }) => name === 'tokens.weight');
    const [first, other] = [row?.theirs, row?.copies[0]].map((name) => name && names.get(name));
    if (!tied.languageHead || !row || !first || !other) return false;
    return !sameNumbers(await readFloats(stored, first, row.shape), await readFloats(stored, other, row.shape));
  };
  const given = parse({ ...options, ...poolingOf(sentences?.pooling), attention: 'exact' }, file.where);
  const shapes = stored.names.map((name) => stored.shapeOf(name));
  checkModelSize(given, shapes, whereIn(stored));
  const trained = { ...given, tiedEmbeddings: given.tiedEmbeddings && !(await hasOwnOutput(given)) };
  const table = family.tensors(trained, ids);
  const tokenizer = await readTokenizer(source, family.name);
  const beside = await readCompanions(source);
  const read = await readTable(table, stored, names, pauses);
  const configuration = maxLength === undefined ? trained : lengthen(trained, read.weights, maxLength);
  return {
    family: family.name,
    configuration,
    weights: read.weights,
    tokenizer: tokenizer?.json,
    tokenizerFrom: tokenizer?.from,
    pooling: sentences?.pooling,
    companions: maxLength === undefined ? beside.companions : withSentenceLength(beside.companions, maxLength),
    unused: [...read.unused, ...(sentences?.unused ?? []), ...(tokenizer?.unused ?? []), ...beside.unused],
  };
}

function poolingOf(sentences: SentencePooling | undefined) {
  return sentences ? { pooling: sentences.pooling } : {};
}

function parse(options: TransformerOptions, where: string): TransformerConfiguration {
  const result = safeParse(transformerSchema, options);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new DataError(
    `${where} describes a model that this package lacks: ${path.join('.')} is not valid (${message}).`,
  );
}

/** Names in the file by the names of the tables, which are without the prefix and say weight and bias of a norm. */
function canonicalNames(stored: StoredTensors, family: Family): Map<string, string> {
  const names = new Map<string, string>();
  const wrapper = sharedPrefix(stored.names, family);
  for (const name of stored.names) {
    const inner = name.slice(wrapper.length);
    const bare = inner.startsWith(family.prefix) ? inner.slice(family.prefix.length) : inner;
    const canonical = bare
      .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
      .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
    const other = names.get(canonical);
    if (other !== undefined) {
      throw new DataError(`${stored.whereOf(name)} holds ${name}, which is ${other} once more: remove one of them.`);
    }
    names.set(canonical, name);
  }
  return names;
}

/**
 * What wrapping code has put before the names of all tensors, such as `module.`. That is what comes before the family's
 * own prefix, or all parts that all names share.
 */
function sharedPrefix(names: readonly string[], { prefix }: Family): string {
  let shared = '';
  while (names.length > 0) {
    const [first] = /^[^.]*\./.exec(names[0]!.slice(shared.length)) ?? [];
    if (first === undefined || first === prefix || !names.every((name) => name.startsWith(shared + first))) break;
    if (STEMS.has(first)) break;
    shared += first;
  }
  return shared;
}

/** Parts of models, which may be the first part of all names of a small one. */
const STEMS: ReadonlySet<string> = new Set([
  'embeddings.',
  'encoder.',
  'h.',
  'wte.',
  'cls.',
  'lm_head.',
  'classifier.',
]);

async function readTable(
  table: readonly NamedTensor[],
  stored: StoredTensors,
  names: ReadonlyMap<string, string>,
  pauses: Pauses,
) {
  const weights = new Map<string, TensorEntry>();
  const used = new Set<string>();
  for (const row of table) {
    await pauses.next();
    const known = [...(row.decides === undefined ? [] : [row.decides]), row.theirs, ...row.copies];
    const present = [...new Set(known.flatMap((name) => names.get(name) ?? []))];
    const [first, ...copies] = present;
    if (first === undefined) {
      throw new DataError(
        `${whereIn(stored)} lacks the tensor ${row.theirs}, which config.json asks for: take files that belong together.`,
      );
    }
    const data = await readFloats(stored, first, row.shape);
    used.add(first);
    for (const copy of copies) {
      if (sameNumbers(data, await readFloats(stored, copy, row.shape))) used.add(copy);
      else if (row.decides === undefined) {
        throw new DataError(
          `${stored.whereOf(copy)} holds ${copy} with other numbers than ${first}, which config.json says are the same: set tie_word_embeddings to false there if they are not.`,
        );
      }
    }
    place(row, data, weights);
  }
  return { weights, unused: stored.names.filter((name) => !used.has(name)) };
}

function whereIn(stored: StoredTensors): string {
  const [name] = stored.names;
  return name === undefined ? 'The file of weights, which is empty,' : stored.whereOf(name);
}

async function readFloats(stored: StoredTensors, name: string, shape: readonly number[]): Promise<Float32Array> {
  const found = stored.shapeOf(name);
  if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
    throw new ShapeError(
      `${stored.whereOf(name)} holds ${name} of shape [${found}] where config.json asks for [${shape}]: take files that belong together.`,
    );
  }
  const { dtype, data } = await stored.read(name);
  if (dtype === 'F32' || dtype === 'F64') {
    const floats = dtype === 'F32' ? data : Float32Array.from(data);
    const wrong = floats.findIndex((x) => !Number.isFinite(x));
    if (wrong === -1) return floats;
    throw new DataError(
      `${stored.whereOf(name)} holds ${name}, whose number ${wrong} is ${floats[wrong]}: take weights that are finite.`,
    );
  }
  throw new DataError(
    `${stored.whereOf(name)} holds ${name} of type ${dtype} where a float is needed: take weights that are not quantized.`,
  );
}

function sameNumbers(a: Float32Array, b: Float32Array): boolean {
  return a.every((x, i) => Object.is(x, b[i]));
}

/** Puts the numbers of one tensor where they belong among ours. */
function place({ ours, shape, form }: NamedTensor, theirs: Float32Array, weights: Map<string, TensorEntry>): void {
  const data = form.read(theirs, shape);
  const [rows, ...rest] = form.shape(shape);
  const length = data.length / ours.length;
  ours.forEach((name, i) => {
    // Copied where it is a part, so that no part holds the whole alive.
    const part = data.buffer.byteLength === 4 * length ? data : data.slice(i * length, (i + 1) * length);
    weights.set(name, { dtype: 'F32', shape: [rows! / ours.length, ...rest], data: part });
  });
}

function lengthen(
  configuration: TransformerConfiguration,
  weights: Map<string, TensorEntry>,
  maxLength: number,
): TransformerConfiguration {
  if (!Number.isSafeInteger(maxLength) || maxLength < 1) {
    throw new ConfigurationError(`maxLength is ${maxLength}: give a whole number of at least 1.`);
  }
  if (configuration.patches) {
    throw new DataError('A model of image patches has a place for each of them: leave maxLength out.');
  }
  const positions = weights.get('positions.weight');
  if (positions?.dtype === 'F32') {
    const { dModel } = configuration;
    checkDrawable([maxLength, dModel]);
    const data = resizedPositions(positions.data, dModel, maxLength);
    weights.set('positions.weight', { dtype: 'F32', shape: [maxLength, dModel], data });
  }
  return { ...configuration, maxLength };
}

const filesKind = option.either(
  option.mapOf(option.bytes),
  option.having('files of a directory', { names: option.strings, read: option.function }),
);
