import {
  BadRecords,
  type Batch,
  evaluationSequences,
  readImageFiles,
  type TokenSplit,
  trainingSequences,
} from '../../src/entries/data.ts';
import { imagePaths } from '../../src/entries/internal.ts';
import { Random } from '../../src/entries/performers.ts';
import type { HeldOutData, TrainingData } from '../../src/entries/training.ts';

/** Ids: 256 values of a channel, and one that begins an image, so that its first value is predicted too. */
export const BEGIN = 256;
export const vocabSize = 257;

export interface ImageData {
  readonly training: TrainingData;
  readonly heldOut: (numBatches: number) => HeldOutData;
  readonly numTraining: number;
  readonly numHeldOut: number;
}

export interface ImageDataOptions {
  readonly size: number;
  /** Images held out. */
  readonly heldOut: number;
  readonly batchSize: number;
  readonly seed: number;
}

/**
 * Rows of one image each, in raster order, red, green and blue of a pixel together.
 *
 * @throws when an image cannot be read, or none would be left to train on
 */
export async function readImages(folder: string, options: ImageDataOptions): Promise<ImageData> {
  const { size, heldOut, batchSize, seed } = options;
  const length = 3 * size * size;
  const paths = shuffled(await imagePaths(folder), seed);
  if (paths.length <= heldOut) {
    throw new Error(`${folder} has ${paths.length} images, of which ${heldOut} are to be held out: hold out fewer.`);
  }
  const test = await pixels(paths.slice(0, heldOut), size);
  const train = await pixels(paths.slice(heldOut), size);
  const sequences = { batchSize, length, packing: 'pad', begin: BEGIN } as const;
  const windows = trainingSequences(train, { ...sequences, seed });
  const held = evaluationSequences(test, sequences);
  return {
    training: { batchAt: async (index) => whole(await windows.batchAt(index)) },
    heldOut: (numBatches) => ({
      batches: async function* () {
        for (let i = 0; i < Math.min(numBatches, held.numBatches); i++) yield whole(await held.batchAt(i));
      },
    }),
    numTraining: train.documents.length,
    numHeldOut: test.documents.length,
  };
}

/** Every row is one image without padding, so that nothing has to be kept apart. */
const whole = ({ segments: _, ...batch }: Batch): Batch => batch;

async function pixels(paths: readonly string[], size: number): Promise<TokenSplit> {
  const length = 3 * size * size;
  const bad = new BadRecords();
  const values = new Uint8Array(paths.length * length);
  let count = 0;
  for await (const image of readImageFiles(paths, bad, { size })) values.set(image.pixels, length * count++);
  if (bad.count > 0) throw new Error(`Some images cannot be used; mend or remove them:\n${bad.describe()}`);
  return {
    length: count * length,
    characters: 0,
    bytes: count * length,
    documents: Array.from({ length: count }, (_, i) => i * length),
    read: async (start, number) => Int32Array.from(values.subarray(start, start + number)),
  };
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = new Random(seed);
  const shuffle = [...items];
  for (let i = shuffle.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [shuffle[i], shuffle[j]] = [shuffle[j] as T, shuffle[i] as T];
  }
  return shuffle;
}
