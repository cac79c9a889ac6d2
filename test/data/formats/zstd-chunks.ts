/**
 * A Zstandard frame of uncompressed blocks: magic, descriptor, 128 KiB window, then blocks of at most `blockSize`. Readers
 * get one chunk for each block, so that a test chooses where chunks end.
 */
export function zstdChunks(data: Uint8Array | string, blockSize: number): Uint8Array {
  const bytes = Buffer.from(data);
  const parts: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38)];
  for (let start = 0; start === 0 || start < bytes.length; start += blockSize) {
    const block = bytes.subarray(start, start + blockSize);
    const header = (block.length << 3) | (start + blockSize >= bytes.length ? 1 : 0);
    parts.push(Uint8Array.of(header & 255, (header >> 8) & 255, header >> 16), block);
  }
  return Buffer.concat(parts);
}
