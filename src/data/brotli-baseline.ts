import { DataError } from '../base/errors.ts';
import type { Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import { countCharacters } from './dataset/tail-split.ts';

interface BrotliResult {
  /** Bits per character of the held-out text compressed after the training text. */
  readonly givenTrain: number;
  /** Bits per character of the held-out text compressed by itself. */
  readonly alone: number;
}

/**
 * Bits per character (Unicode code point) that brotli needs for `heldOut`. The compressor is Node's own, quality 11,
 * with the largest window of the format, lgwin 24: 16 MiB. Of a longer training text only the last 16 MiB can help.
 * Given the training text means `8·(size(train + heldOut) − size(train)) / characters`.
 *
 * @param options.signal stops the work: its reason is thrown
 * @throws DataError if heldOut is empty
 */
export async function brotliBitsPerCharacter(
  train: string,
  heldOut: string,
  options: Stoppable = {},
): Promise<BrotliResult> {
  checkArguments('brotliBitsPerCharacter', { train, heldOut }, { train: option.string, heldOut: option.string });
  checkOptions<Stoppable>('brotliBitsPerCharacter', options, { signal: option.signal });
  const { signal } = options;
  if (heldOut === '')
    throw new DataError('The held-out text is empty; bits per character need at least one character.');
  const characters = countCharacters(heldOut);
  const [both, before, alone] = await Promise.all([
    compressedSize(train + heldOut, signal),
    compressedSize(train, signal),
    compressedSize(heldOut, signal),
  ]);
  return { givenTrain: (8 * (both - before)) / characters, alone: (8 * alone) / characters };
}

async function compressedSize(text: string, signal: AbortSignal | undefined): Promise<number> {
  signal?.throwIfAborted();
  const { createBrotliCompress, constants } = await import('node:zlib');
  const bytes = Buffer.from(text);
  const stream = createBrotliCompress({
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  // The work is done in threads of the platform, piece by piece.
  const stop = () => stream.destroy(signal!.reason as Error);
  signal?.addEventListener('abort', stop, { once: true });
  stream.end(bytes);
  let size = 0;
  try {
    for await (const chunk of stream) size += (chunk as Buffer).length;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  return size;
}
