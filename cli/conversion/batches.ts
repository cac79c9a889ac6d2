import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  BadRecords,
  type Batch,
  type DatasetOptions,
  expandPaths,
  imagePatches,
  openDataset,
  readImageFiles,
  type TokenSplit,
  tokenizeDataset,
} from '../../src/entries/data.ts';
import { batchOptions, parseConfiguration, parseJson } from '../../src/entries/internal.ts';
import { ConfigurationError, type Stoppable, type Transformer } from '../../src/entries/performers.ts';
import type { MeasuredBatch } from '../../src/entries/pretrained.ts';
import type { Tokenizer } from '../../src/entries/tokenizers.ts';
import { heldOutBatches, type Objective, type Vocabulary } from '../../src/entries/training.ts';
import { vocabularyOf } from '../training/corpus.ts';
import type { Source } from './source.ts';

/**
 * The sequences that flags name, as the model reads them.
 *
 * @throws ConfigurationError when the data cannot be read, or the model lacks what it takes
 */
export async function measuredBatches(source: Source, measured: MeasuredData): Promise<MeasuredBatch[]> {
  const { model, tokenizer, others } = source;
  if (model.configuration.patches) {
    const files = await expandPaths(measured.data);
    return imageBatches(model, files, pixelScale(others), measured.sequences);
  }
  if (!tokenizer)
    throw new ConfigurationError('There is no tokenizer beside the model, so no text can be read: leave --data out.');
  return sequenceBatches(model, tokenizer, measured);
}

/** Which sequences a conversion is measured on. */
interface MeasuredData extends Stoppable {
  readonly data: readonly string[];
  readonly format?: DatasetOptions['format'] | undefined;
  /** Field or column that has the text. */
  readonly textField?: string | undefined;
  /** Tokens in a sequence. */
  readonly length: number;
  /** Sequences, spread evenly over the data. */
  readonly sequences: number;
}

const preprocessorSchema = z.object({
  image_mean: z.tuple([z.number(), z.number(), z.number()]).default([0.5, 0.5, 0.5]),
  image_std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).default([0.5, 0.5, 0.5]),
});

function pixelScale(others: Source['others']): PixelScale {
  const name = 'preprocessor_config.json';
  const bytes = others.get(name);
  const json: unknown = bytes ? parseJson(new TextDecoder().decode(bytes), name) : {};
  const { image_mean, image_std } = parseConfiguration(preprocessorSchema, json, name);
  return { mean: image_mean, deviation: image_std };
}

/** Sequences in a batch. */
const batchSize = 4;

interface Rows extends Pick<MeasuredData, 'length' | 'sequences'> {
  readonly isOneDocument: boolean;
}

/**
 * Sequences of tokens as the model reads them, with the tokens that it is to predict: masked tokens, or the next of a
 * causal model. Several documents have a row each; a single document is cut into windows. Too short a text gives no
 * sequence.
 */
export async function tokenBatches(
  model: Transformer,
  tokens: TokenSplit,
  vocabulary: Vocabulary,
  { isOneDocument, length, sequences }: Rows,
): Promise<MeasuredBatch[]> {
  const { causal, languageHead } = model.configuration;
  const masks = !causal && languageHead && vocabulary.specialTokens.mask !== undefined;
  const objective: Objective = masks ? { type: 'maskedToken', fraction: 0.15 } : { type: 'nextToken' };
  const packing = isOneDocument ? 'windows' : 'pad';
  const all = heldOutBatches(tokens, { objective, packing, length }, vocabulary, batchSize);
  const count = Math.min(all.numBatches, Math.ceil(sequences / batchSize));
  const batches: MeasuredBatch[] = [];
  for (let i = 0; i < count; i++) {
    const batch = await all.batchAt(Math.floor((i * all.numBatches) / count));
    batches.push(measuredBatch(model, batch, causal || masks));
  }
  return batches;
}

/** @throws ConfigurationError when the data cannot be read or holds no whole sequence */
async function sequenceBatches(
  model: Transformer,
  tokenizer: Tokenizer,
  { data, format, textField, length, sequences, signal }: MeasuredData,
): Promise<MeasuredBatch[]> {
  const fields = { ...(format && { format }), ...(textField && { text: textField }) };
  // The format decides about the other options, which openDataset checks.
  const dataset = await openDataset({ ...fields, data: [...data], split: { by: 'none' } } as DatasetOptions, {
    signal,
  });
  const temporary = await mkdtemp(join(tmpdir(), 'performers-'));
  try {
    const { train: tokens, close } = await tokenizeDataset(dataset, tokenizer, {
      file: join(temporary, 'tokens.bin'),
      signal,
    });
    try {
      const batches = await tokenBatches(model, tokens, vocabularyOf(tokenizer, dataset), {
        isOneDocument: dataset.numDocuments === 1,
        length,
        sequences,
      });
      if (batches.length === 0)
        throw new ConfigurationError(`There is no sequence of ${length} tokens to measure: give more text.`);
      return batches;
    } finally {
      await close();
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function measuredBatch(model: Transformer, batch: Batch, predicts: boolean): MeasuredBatch {
  return {
    input: batch.inputs,
    shape: [batch.batchSize, batch.length],
    options: batchOptions(model, batch),
    targets: predicts && model.configuration.languageHead ? batch.targets : undefined,
  };
}

/** Mean and deviation of each channel of the pixels, from 0 to 1, that a model of images was trained with. */
interface PixelScale {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/**
 * Images as the model reads them: scaled to its size.
 *
 * @throws ConfigurationError when a file is no image, or the model does not take three channels
 */
async function imageBatches(
  model: Transformer,
  files: readonly string[],
  { mean, deviation }: PixelScale,
  sequences: number,
): Promise<MeasuredBatch[]> {
  const { patches } = model.configuration;
  if (patches?.channels !== 3)
    throw new ConfigurationError('Only models of images with three channels can be measured: leave --data out.');
  const { imageSize } = patches;
  const area = imageSize ** 2;
  const images: Float32Array[] = [];
  const bad = new BadRecords();
  for await (const { pixels } of readImageFiles(files.slice(0, sequences), bad, { size: imageSize })) {
    const planes = new Float32Array(3 * area);
    pixels.forEach((value, i) => {
      const channel = i % 3;
      planes[channel * area + Math.floor(i / 3)] = (value / 255 - mean[channel]) / deviation[channel];
    });
    images.push(imagePatches(planes, patches));
  }
  if (bad.count > 0) throw new ConfigurationError(`Images cannot be read: ${bad.describe()}`);
  if (images.length === 0) throw new ConfigurationError('There is no image to measure: give PNG or JPEG files.');
  const numPatches = (imageSize / patches.patchSize) ** 2;
  return Array.from({ length: Math.ceil(images.length / batchSize) }, (_, batch) => {
    const rows = images.slice(batch * batchSize, (batch + 1) * batchSize);
    const width = rows[0].length / numPatches;
    const input = new Float32Array(rows.length * rows[0].length);
    rows.forEach((row, i) => {
      input.set(row, i * row.length);
    });
    return { input, shape: [rows.length, numPatches, width] };
  });
}
