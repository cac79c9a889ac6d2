import { FileError } from './errors.ts';

const fixes: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is used up: free some space',
  EROFS: 'the file system is read-only: name another directory',
  EACCES: 'permission is denied: change its permissions or name another directory',
  EPERM: 'permission is denied: change its permissions or name another directory',
  ENOTDIR: 'part of that path is a file: name another directory',
  EISDIR: 'a directory of that name is in the way: move it or name another directory',
  EEXIST: 'a file of that name is in the way: move it or name another directory',
  ENOTEMPTY: 'files are there already: name a directory that is new or empty',
  ENOENT: 'part of that path is missing or a link to nowhere: make the folder or name another directory',
  ELOOP: 'a link of that path leads to itself: name another directory',
  ENAMETOOLONG: 'the name is too long for this file system: name a shorter one',
  EBUSY: 'another program uses it: end that program or name another directory',
  EMFILE: 'too many files are open: raise the limit of open files (ulimit -n)',
  ENFILE: 'too many files are open: raise the limit of open files',
  EFBIG: 'the file would be larger than this file system allows: name another directory',
  EIO: 'the disk reports an error: check it or name another directory',
};

/** Turns a failed write to `path` into one sentence with a fix; errors that already have a class pass unchanged. */
export function explainWriteError(error: unknown, path: string): unknown {
  const { code = '', syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const fix = fixes[code] ?? (syscall && `the system refuses (${code}, ${syscall}): name another directory`);
  if (fix === undefined) return error;
  return new FileError(`Cannot write ${path} because ${fix}; what was saved earlier is intact.`, { cause: error });
}
