import type { Compressors } from 'hyparquet';
import { DataError } from '../../../base/errors.ts';
import { createUnzstd } from '../../source/decompression/zstd.ts';

/**
 * Decompressors of Parquet's pages by codec. No decompressor takes more memory than a small multiple of the size that a
 * page states, whatever its bytes expand to.
 */
export async function loadDecompressors(): Promise<Compressors> {
  const { compressors } = await import('hyparquet-compressors');
  const { brotliDecompressSync, gunzipSync } = await import('node:zlib');
  const { SNAPPY: snappy } = compressors;
  return {
    // LZ4 and LZ4_RAW write into an array of the stated size.
    ...compressors,
    SNAPPY: (input, size) => {
      // The module beneath writes as much as its input states.
      if (snappySize(input) !== size) throw new DataError('a page does not have the size that it states');
      return snappy!(input, size);
    },
    GZIP: (input, size) => gunzipSync(input, toSize(size)),
    BROTLI: (input, size) => brotliDecompressSync(input, toSize(size)),
    ZSTD: await createUnzstd(),
  };
}

/** Options of zlib: one piece, which is all. */
const toSize = (size: number) => ({ maxOutputLength: Math.max(1, size), chunkSize: Math.max(64, size + 1) });

/** The number at the start of Snappy data: seven bits a byte, low ones first. */
function snappySize(input: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = input[i] ?? 0;
    value += (byte & 127) * 128 ** i;
    if (byte < 128) break;
  }
  return value;
}
