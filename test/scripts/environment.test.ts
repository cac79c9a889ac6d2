import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|mjs|cc|h)$/.test(path) && !path.includes('node_modules'))
    .map((path) => readFileSync(join(root, folder, path), 'utf8'));
}

test('docs/environment.md has every variable of the environment', () => {
  const page = readFileSync(join(root, 'docs/environment.md'), 'utf8');
  const code = ['src', 'cli', 'bench', 'scripts', 'kernels', 'test', 'experiments'].flatMap(sources).join('\n');
  const own = [...code.matchAll(/\bPERFORMERS_[A-Z][A-Z_]*[A-Z]\b/g)].map(([name]) => name);
  const others = [...code.matchAll(/\benv\.((?:HF|XDG)_\w+)/g)].map(([, name]) => name);
  const missing = [...new Set([...own, ...others])].filter((name) => !page.includes(`\`${name}\``));
  expect(missing).toEqual([]);
});
