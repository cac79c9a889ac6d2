/** Decompresses gzip of one or several members, by zlib, which verifies their CRC-32. One piece (256 KiB) is in memory. */
export async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { createGunzip } = await import('node:zlib');
  const { pipeline } = await import('node:stream');
  const target = createGunzip({ chunkSize: 1 << 18 });
  // What fails in the source fails in the target, which is read here.
  pipeline(source, target, () => {});
  try {
    yield* target as AsyncIterable<Uint8Array>;
  } finally {
    target.destroy();
  }
}
