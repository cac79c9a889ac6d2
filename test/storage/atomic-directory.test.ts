import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cleanLeftovers,
  type FileSystem,
  nodeFileSystem,
  removeDirectoryAtomically,
  writeDirectoryAtomically,
} from '../../src/storage/atomic-directory.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'performers-atomic-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const contents = (directory: string): Record<string, string> =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]));
const OLD = { 'a.txt': 'old a', 'c.txt': 'old c' };
const NEW = { 'a.txt': 'new a', 'b.bin': 'new b' };
const files = (record: Record<string, string>): Map<string, string> => new Map(Object.entries(record));

/** A file system whose call number `fatal` fails with `code`, or every call from there on if `dead`. */
function failing(fatal: number, code: string, dead: boolean): FileSystem & { calls: number } {
  const guard = <A extends unknown[], R>(call: (...args: A) => Promise<R>, half?: (...args: A) => void) => {
    return async (...args: A): Promise<R> => {
      const number = wrapped.calls++;
      if (dead ? number >= fatal : number === fatal) {
        if (number === fatal) half?.(...args);
        throw Object.assign(new Error(`${code}: injected`), { code });
      }
      return call(...args);
    };
  };
  const wrapped = {
    calls: 0,
    mkdir: guard(nodeFileSystem.mkdir),
    writeFile: guard(nodeFileSystem.writeFile, (path, data) => writeFileSync(path, data.slice(0, 3))),
    syncDirectory: guard(nodeFileSystem.syncDirectory),
    rename: guard(nodeFileSystem.rename),
    remove: guard(nodeFileSystem.remove),
    list: guard(nodeFileSystem.list),
  };
  return wrapped;
}

/** Writes the new files where nothing is or, replacing, the old ones are, and gives the error. */
async function faultOfWriting(target: string, replacing: boolean, fileSystem: ReturnType<typeof failing>) {
  rmSync(target, { recursive: true, force: true });
  if (replacing) await writeDirectoryAtomically(target, files(OLD));
  return writeDirectoryAtomically(target, files(NEW), fileSystem).then(
    () => undefined,
    (error: Error) => error,
  );
}

describe('writeDirectoryAtomically', () => {
  it('writes new directories and replaces old ones whole', async () => {
    const target = join(parent, 'x', 'step');
    await writeDirectoryAtomically(target, files(OLD));
    expect(contents(target)).toEqual(OLD);
    await writeDirectoryAtomically(target, files(NEW));
    expect(contents(target)).toEqual(NEW);
    expect(readdirSync(join(parent, 'x'))).toEqual(['step']);
  });

  it('writes files in folders, and nothing of them when one fails', async () => {
    const target = join(parent, 'model');
    const nested = new Map([
      ['config.json', '{}'],
      ['onnx/model.onnx', 'graph'],
    ]);
    for (let fatal = 0; fatal < 7; fatal++) {
      await expect(writeDirectoryAtomically(target, nested, failing(fatal, 'ENOSPC', false))).rejects.toThrow(
        /disk is full/,
      );
      expect(readdirSync(parent)).toEqual([]);
    }
    await writeDirectoryAtomically(target, nested);
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['config.json', 'onnx', 'onnx/model.onnx']);
    expect(readFileSync(join(target, 'onnx/model.onnx'), 'utf8')).toBe('graph');
  });

  it('syncs every file and the directory before the rename, and the parent after it', async () => {
    const order: string[] = [];
    const log = <A extends [string, ...unknown[]], R>(name: string, call: (...args: A) => R) => {
      return (...args: A): R => {
        order.push(`${name} ${args[0].slice(parent.length).replace(/-\d+-\w+/, '')}`);
        return call(...args);
      };
    };
    await writeDirectoryAtomically(join(parent, 'step'), files(NEW), {
      ...nodeFileSystem,
      writeFile: log('write', nodeFileSystem.writeFile),
      syncDirectory: log('sync', nodeFileSystem.syncDirectory),
      rename: log('rename', nodeFileSystem.rename),
    });
    expect(order).toEqual([
      'write /.temporary-step/a.txt',
      'write /.temporary-step/b.bin',
      'sync /.temporary-step',
      'rename /.temporary-step',
      'sync ',
    ]);
  });

  it.each([false, true])(
    'is all or nothing when any one call fails on a full disk (replacing: %s)',
    async (replacing) => {
      const target = join(parent, 'step');
      for (let fatal = 0; ; fatal++) {
        const fileSystem = failing(fatal, 'ENOSPC', false);
        const error = await faultOfWriting(target, replacing, fileSystem);
        if (fileSystem.calls <= fatal) {
          expect(fatal).toBeGreaterThanOrEqual(6);
          expect(error).toBeUndefined();
          break;
        }
        expect(error?.message).toBe(
          `Cannot write ${target} because the disk is full: free some space; what was saved earlier is intact.`,
        );
        const names = readdirSync(parent);
        if (names.includes('step')) expect([OLD, NEW]).toContainEqual(contents(target));
        expect(names.filter((name) => name !== 'step')).toEqual([]);
        if (replacing) expect(names).toEqual(['step']);
      }
    },
  );

  it.each([false, true])('is all or nothing when the writer dies at any call (replacing: %s)', async (replacing) => {
    const target = join(parent, 'step');
    for (let fatal = 0; ; fatal++) {
      const error = await faultOfWriting(target, replacing, failing(fatal, 'EIO', true));
      await cleanLeftovers(parent);
      expect(readdirSync(parent).filter((name) => name !== 'step')).toEqual([]);
      if (!error) break;
      if (replacing || readdirSync(parent).length > 0) expect([OLD, NEW]).toContainEqual(contents(target));
    }
    expect(contents(target)).toEqual(NEW);
  });

  it('says that a file is in the way', async () => {
    writeFileSync(join(parent, 'file'), '');
    await expect(writeDirectoryAtomically(join(parent, 'file', 'step'), files(NEW))).rejects.toThrow(
      /^Cannot write .*file\/step because (part of that path is a file|a file of that name is in the way)/,
    );
  });

  it('keeps the previous directory on a file system that is really full', async (context) => {
    const disk = join(parent, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip('mounting a small tmpfs needs root on Linux');
    }
    try {
      const target = join(disk, 'step');
      await writeDirectoryAtomically(target, files(OLD));
      await expect(
        writeDirectoryAtomically(join(disk, 'next'), new Map([['big', new Uint8Array(100_000)]])),
      ).rejects.toThrow(/because the disk is full: free some space/);
      await expect(writeDirectoryAtomically(target, new Map([['big', new Uint8Array(100_000)]]))).rejects.toThrow(
        /because the disk is full: free some space/,
      );
      expect(readdirSync(disk)).toEqual(['step']);
      expect(contents(target)).toEqual(OLD);
      await writeDirectoryAtomically(target, files(NEW));
      expect(contents(target)).toEqual(NEW);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

describe('removeDirectoryAtomically', () => {
  it('never shows part of the directory, wherever it dies', async () => {
    const target = join(parent, 'step');
    for (let fatal = 0; fatal < 4; fatal++) {
      await writeDirectoryAtomically(target, files(OLD));
      await removeDirectoryAtomically(target, failing(fatal, 'EIO', true)).catch(() => {});
      if (readdirSync(parent).includes('step')) expect(contents(target)).toEqual(OLD);
      else expect(fatal).toBeGreaterThanOrEqual(2);
      await cleanLeftovers(parent);
    }
    expect(readdirSync(parent)).toEqual([]);
  });

  it('ignores a directory that is not there', async () => {
    await removeDirectoryAtomically(join(parent, 'none'));
    expect(readdirSync(parent)).toEqual([]);
  });
});
