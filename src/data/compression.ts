import { promisify } from 'node:util';
import { DataError } from '../base/errors.ts';
import { countCharacters } from './split.ts';

export interface BrotliResult {
  /** Bits per character of the held-out text compressed after the training text. */
  readonly givenTrain: number;
  /** Bits per character of the held-out text compressed by itself. */
  readonly alone: number;
}

/**
 * Bits per character (Unicode code point) that brotli needs for `heldOut`: Node's own, quality 11, with the largest window
 * of the format, lgwin 24: 16 MiB, so of a longer training text only the last 16 MiB can help. Given the training text
 * means `8·(size(train + heldOut) − size(train)) / characters`.
 *
 * @throws if heldOut is empty
 */
export async function brotliBitsPerCharacter(train: string, heldOut: string): Promise<BrotliResult> {
  if (heldOut === '')
    throw new DataError('The held-out text is empty; bits per character need at least one character.');
  const characters = countCharacters(heldOut);
  const [both, before, alone] = await Promise.all([
    compressedSize(train + heldOut),
    compressedSize(train),
    compressedSize(heldOut),
  ]);
  return { givenTrain: (8 * (both - before)) / characters, alone: (8 * alone) / characters };
}

async function compressedSize(text: string): Promise<number> {
  const { brotliCompress, constants } = await import('node:zlib');
  const bytes = Buffer.from(text);
  const compressed = await promisify(brotliCompress)(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  return compressed.length;
}
