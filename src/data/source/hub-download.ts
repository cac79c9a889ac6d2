import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, NetworkError } from '../../base/errors.ts';
import type { Stoppable } from '../../base/event-loop.ts';

/** A file as the hub lists it. */
export interface HubFile {
  /** In the repository. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Git's hash of the file, or of the pointer that stands for it where `sha256` is given; empty where it is not known. */
  readonly oid: string;
  /** SHA-256 of a large file. */
  readonly sha256?: string | undefined;
}

type DownloadProgress = (progress: { path: string; received: number; size: number }) => void;

interface DownloadOptions extends Stoppable {
  readonly onProgress?: DownloadProgress | undefined;
}

/**
 * Downloads a file to `place`, where it appears once its size and hash are the hub's. The download continues what an
 * earlier attempt has left. If the whole is then wrong, it is loaded once more from the start.
 *
 * @param content gives the file as a blob
 * @throws NetworkError if the file is twice not what the hub says, and if the download breaks off; and as `content` does
 */
export async function downloadVerified(
  file: HubFile,
  content: () => Promise<Blob>,
  place: string,
  options: DownloadOptions = {},
): Promise<void> {
  const partial = `${place}.incomplete`;
  await mkdir(dirname(place), { recursive: true });
  for (let attempt = 0; ; attempt++) {
    const wasPartial = (await stat(partial).catch(() => undefined)) !== undefined;
    const fault = await downloadOnce(file, content, partial, options);
    if (fault === undefined) break;
    await rm(partial, { force: true });
    if (!wasPartial && attempt > 0) throw new NetworkError(`${file.path} arrived with ${fault}; try again later.`);
  }
  await rename(partial, place);
}

/** What is wrong with the file that has arrived, if anything is. */
async function downloadOnce(
  file: HubFile,
  content: () => Promise<Blob>,
  partial: string,
  { onProgress, signal }: DownloadOptions,
): Promise<string | undefined> {
  const { path, size } = file;
  const hash = await createFileHash(file);
  let received = 0;
  const earlier = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (earlier > 0 && earlier <= size) {
    for await (const chunk of createReadStream(partial)) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
    }
    received = earlier;
  }
  const target = await open(partial, received > 0 ? 'a' : 'w');
  try {
    if (received < size) {
      const blob = await content();
      if (blob.size !== size) return `${blob.size} bytes where the hub lists ${size}`;
      const rest = received > 0 ? blob.slice(received) : blob;
      try {
        for await (const chunk of rest.stream() as unknown as AsyncIterable<Uint8Array>) {
          hash.update(chunk);
          await target.write(chunk);
          received += chunk.length;
          if (received > size) return `more than the ${size} bytes that the hub lists`;
          onProgress?.({ path, received, size });
          signal?.throwIfAborted();
        }
      } catch (error) {
        signal?.throwIfAborted();
        const reason = messageOf(error);
        throw new NetworkError(
          `The download of ${path} broke off after ${received} of ${size} bytes (${reason}); start again to continue there.`,
        );
      }
    }
  } finally {
    await target.close();
  }
  if (received !== size) return `${received} bytes where the hub lists ${size}`;
  return hash.digest('hex') === (file.sha256 ?? file.oid) ? undefined : 'another hash than the hub lists';
}

/** The hash that the hub lists for a file, before its first byte. */
export async function createFileHash({ size, sha256, oid }: HubFile): Promise<Hash> {
  const { createHash } = await import('node:crypto');
  if (sha256) return createHash('sha256');
  return createHash(oid.length === 64 ? 'sha256' : 'sha1').update(`blob ${size}\0`);
}
