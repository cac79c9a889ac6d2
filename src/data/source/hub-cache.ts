/** The folder of one repository in the hub's cache: the only file that joins a name of others to a path of this machine. */
import type { Stats } from 'node:fs';
import { createReadStream } from 'node:fs';
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { DataError } from '../../base/errors.ts';
import { createFileHash, type HubFile } from './hub-download.ts';

/** Git's hashes, SHA-1 or SHA-256. */
export const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Whether a name, of a file or of a branch, stays below the folder that it is joined to. */
export function staysBelow(name: string): boolean {
  const parts = name.split(/[\\/]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names with these are not valid.
  return !parts.some((part) => part === '' || part === '.' || part === '..') && !/[\0-\x1f]|^[A-Za-z]:/.test(name);
}

/** Files found intact by this process: path, with what `stat` said and the hash. */
const intact = new Map<string, string>();

export class HubCache {
  /** @param root the cache. @param folder this repository's in it */
  constructor(
    private readonly root: string,
    private readonly folder: string,
  ) {}

  /** Where a snapshot of a commit, or of files put there by hand, is. Links are not followed. */
  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /**
   * The path of `names` below the folder.
   *
   * @throws DataError if the path leads out of the cache, by its names or by links
   */
  async place(...names: readonly string[]): Promise<string> {
    const path = resolve(this.folder, ...names);
    if (!names.every(staysBelow)) throw leavesCache(path, this.root);
    // The folder may be a link itself, as people have it who keep large repositories on another disk.
    const [real, ...bases] = await Promise.all([path, this.root, this.folder].map((name) => realPathOf(resolve(name))));
    if (!bases.some((base) => isBelow(real!, base))) throw leavesCache(path, this.root);
    return path;
  }

  /** A small file; undefined if it does not exist. */
  async read(...names: readonly string[]): Promise<string | undefined> {
    return readFile(await this.place(...names), 'utf8').catch(() => undefined);
  }

  /** Writes a file, which appears only once it is complete. */
  async write(text: string, ...names: readonly string[]): Promise<void> {
    const path = await this.place(...names);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}.tmp`;
    await rm(temporary, { force: true });
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  }

  /** The files of a snapshot, as far as they are there. */
  async files(commit: string): Promise<HubFile[]> {
    const folder = await this.place('snapshots', commit);
    const files: HubFile[] = [];
    for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
      const path = await this.place('snapshots', commit, name);
      const entry = await statOf(path);
      if (!entry?.isFile()) continue;
      // Blobs are named by their hash.
      const target = await realpath(path);
      const hash = basename(dirname(target)) === 'blobs' && HASH.test(basename(target)) ? basename(target) : '';
      const sha256 = hash.length === 64 ? hash : undefined;
      files.push({ path: name.split(sep).join('/'), size: entry.size, oid: sha256 ? '' : hash, sha256 });
    }
    return files;
  }

  /** Whether a revision has a folder of files. */
  async hasSnapshot(revision: string): Promise<boolean> {
    return (await statOf(await this.place('snapshots', revision)))?.isDirectory() ?? false;
  }

  /** Makes the file of a snapshot a link to a blob; where links are not allowed, the blob moves. */
  async link(place: string, blob: string): Promise<void> {
    await mkdir(dirname(place), { recursive: true });
    const temporary = `${place}.${process.pid}.tmp`;
    await rm(temporary, { force: true });
    await symlink(relative(dirname(place), blob), temporary).then(
      () => rename(temporary, place),
      () => rename(blob, place),
    );
  }
}

export const statOf = (path: string): Promise<Stats | undefined> => stat(path).catch(() => undefined);

/**
 * Whether a file has the size and the hash that the hub lists. A process reads a file once for that, and again if its
 * size or times change. The speed is that of SHA-256, below the time of loading a model or tokenising a text.
 */
export async function isIntact(path: string, file: HubFile): Promise<boolean> {
  const entry = await statOf(path);
  if (!entry?.isFile() || entry.size !== file.size) return false;
  const expected = file.sha256 ?? file.oid;
  if (expected === '') return true;
  const state = [entry.size, entry.mtimeMs, entry.ctimeMs, entry.ino, expected].join();
  if (intact.get(path) === state) return true;
  const hash = await createFileHash(file);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  if (hash.digest('hex') !== expected) return false;
  intact.set(path, state);
  return true;
}

function isBelow(path: string, folder: string): boolean {
  const below = relative(folder, path);
  return below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
}

/** A path with its links followed, as far as it exists: what does not is joined to what does. */
async function realPathOf(path: string): Promise<string> {
  const known = await realpath(path).catch(() => undefined);
  if (known !== undefined) return known;
  const parent = dirname(path);
  if (parent === path) return path;
  const entry = await lstat(path).catch(() => undefined);
  // Writing to a link to what does not exist yet would follow the link.
  if (entry?.isSymbolicLink()) return realPathOf(resolve(await realPathOf(parent), await readlink(path)));
  return join(await realPathOf(parent), basename(path));
}

const leavesCache = (path: string, root: string) =>
  new DataError(`${path} leads out of the cache ${root}, so it is not followed; remove it, or name another file.`);
