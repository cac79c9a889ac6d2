/** Directories that appear whole or not at all, whatever moment the process or the machine dies. */

import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { explainWriteError } from '../base/write-errors.ts';

/** The file system calls of a writer, so that tests can make them fail. */
export interface FileSystem {
  mkdir(path: string): Promise<void>;
  /** Writes and syncs a new file. */
  writeFile(path: string, data: Uint8Array | string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
}

export const nodeFileSystem: FileSystem = {
  async mkdir(path) {
    await mkdir(path, { recursive: true });
  },
  async writeFile(path, data) {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async syncDirectory(path) {
    if (process.platform === 'win32') return; // directories cannot be opened there
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  async rename(from, to) {
    await rename(from, to);
  },
  async remove(path) {
    await rm(path, { recursive: true, force: true });
  },
  async list(path) {
    return readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
  },
};

const TEMPORARY = '.temporary-';
const REPLACED = '.replaced-';

/**
 * Writes `files` (name, also in a folder → contents) as the directory `target`, replacing it if it exists. The files
 * are written under a temporary name beside it, synced, then renamed. Until this resolves `target` is what it was
 * before.
 *
 * @param options.signal stops the work until the directory is renamed: its reason is thrown, and nothing is left behind
 * @param options.replaces false: a directory that holds files is an error, even if they came meanwhile. Default true.
 * @throws FileError that names the path and the fix when the disk is full or not writable; nothing is left behind.
 */
export async function writeDirectoryAtomically(
  target: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  fileSystem: FileSystem = nodeFileSystem,
  { replaces = true, signal }: Stoppable & { readonly replaces?: boolean } = {},
): Promise<void> {
  const pauses = new Pauses(signal);
  const parent = dirname(target);
  const unique = uniqueName(target);
  const temporary = join(parent, TEMPORARY + unique);
  const replaced = join(parent, REPLACED + unique);
  try {
    await fileSystem.mkdir(temporary);
    const folders = new Set([...files.keys()].map((name) => join(temporary, dirname(name))));
    folders.delete(temporary);
    for (const folder of folders) await fileSystem.mkdir(folder);
    for (const [name, data] of files) {
      await pauses.next();
      await fileSystem.writeFile(join(temporary, name), data);
    }
    for (const folder of [...folders, temporary]) await fileSystem.syncDirectory(folder);
    await pauses.next();
    const isThere = replaces && (await fileSystem.list(parent)).includes(basename(target));
    if (isThere) await fileSystem.rename(target, replaced);
    await fileSystem.rename(temporary, target);
    await fileSystem.syncDirectory(parent);
    await fileSystem.remove(replaced);
  } catch (error) {
    await clean(parent, [TEMPORARY + unique, REPLACED + unique], fileSystem).catch(() => {});
    throw explainWriteError(error, target);
  }
}

/** Removes the directory `target`, if it is there, such that no moment shows it with only some of its files. */
export async function removeDirectoryAtomically(
  target: string,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<void> {
  const parent = dirname(target);
  if (!(await fileSystem.list(parent)).includes(basename(target))) return;
  const doomed = join(parent, TEMPORARY + uniqueName(target));
  await fileSystem.rename(target, doomed);
  await fileSystem.remove(doomed);
}

/**
 * Removes what killed writers left in `parent`, and puts back a directory that one had moved aside but not yet replaced.
 * Call it when no other process writes there.
 */
export async function cleanLeftovers(parent: string, fileSystem: FileSystem = nodeFileSystem): Promise<void> {
  const leftovers = (await fileSystem.list(parent)).filter((n) => n.startsWith(TEMPORARY) || n.startsWith(REPLACED));
  await clean(parent, leftovers, fileSystem);
}

function uniqueName(target: string): string {
  return `${basename(target)}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
}

async function clean(parent: string, leftovers: readonly string[], fileSystem: FileSystem): Promise<void> {
  const names = await fileSystem.list(parent);
  for (const name of leftovers) {
    if (!names.includes(name)) continue;
    const path = join(parent, name);
    const original = name.slice(REPLACED.length).replace(/-\d+-[0-9a-f]{8}$/, '');
    if (name.startsWith(REPLACED) && !names.includes(original)) await fileSystem.rename(path, join(parent, original));
    else await fileSystem.remove(path);
  }
}
