/**
 * Checksums of files that hold no checksum themselves: a line for each, `<SHA-256> <name>`, as `sha256sum -c` reads
 * them.
 */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { DataError } from '../base/errors.ts';

/** The lines for `files` (name → contents). */
export function checksumsOf(files: ReadonlyMap<string, Uint8Array | string>): string {
  return [...files].map(([name, data]) => `${sha256(data)}  ${name}\n`).join('');
}

/**
 * @param path of a file; the checksums are beside it
 * @param checksums text of SHA256SUMS. A file without a line there is not checked.
 * @throws DataError when the file is not what it was when it was written
 */
export function verifyChecksum(path: string, bytes: Uint8Array, checksums: string): void {
  const name = basename(path);
  const line = checksums.split('\n').find((each) => each.endsWith(`  ${name}`));
  if (line === undefined || line === `${sha256(bytes)}  ${name}`) return;
  throw new DataError(
    `${path} is damaged (its checksum does not match): restore a copy, use an earlier checkpoint, or remove ${join(dirname(path), 'SHA256SUMS')} if you changed the file yourself.`,
  );
}

const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');
