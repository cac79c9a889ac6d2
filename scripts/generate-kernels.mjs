// Writes what follows from kernels/description.mjs. `node scripts/generate-kernels.mjs` writes the files that differ and names
// them; `--check` only names them, and fails if there are any.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hashFiles, isFresh, listFiles, markFresh, readText, root } from './build-tools.mjs';
import { cppHeader, inferenceHeader } from './generate/cpp.mjs';
import { readKernels, readOperations } from './generate/description.mjs';
import { documentation } from './generate/documentation.mjs';
import { checkedOperations, kernelCalls, kernelTypes, tracedCalls } from './generate/typescript.mjs';

/** Path → text of every generated file. */
function generate() {
  const kernels = readKernels();
  const operations = readOperations();
  return {
    'kernels/generated/kernels.h': cppHeader(kernels),
    'kernels/generated/inference.h': inferenceHeader(kernels),
    'docs/kernels.md': documentation(kernels),
    'src/backend/kernels.ts': kernelTypes(operations),
    'src/backend/checks/operations.ts': checkedOperations(operations),
    'src/backend/compiled/kernel-calls.ts': kernelCalls(kernels, operations),
    'src/backend/trace/described-calls.ts': tracedCalls(operations),
  };
}

const SOURCES = ['kernels/description.mjs', 'scripts/generate-kernels.mjs', ...listFiles('scripts/generate', /\.mjs$/)];
const STAMP = 'kernels/generated/kernels.h';

/** TypeScript as the formatter has it, so that its check holds for generated files too. */
function formatted(path, text) {
  if (!path.endsWith('.ts')) return text;
  const biome = ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', `--stdin-file-path=${path}`];
  const { stdout, stderr, status } = spawnSync(process.execPath, biome, { cwd: root, input: text, encoding: 'utf8' });
  if (status !== 0 || stdout === '') throw new Error(`${path}: the generated text does not pass biome:\n${stderr}`);
  return stdout;
}

/**
 * Returns the generated files that differ from what the description says, and writes them unless `check`. With `check`,
 * nothing is compared while neither the description nor the files have changed.
 */
export function generateKernels({ check = false } = {}) {
  const files = generate();
  // A published package has no src/.
  const paths = Object.keys(files).filter((path) => existsSync(join(root, path.split('/')[0])));
  const key = () => hashFiles([...SOURCES, ...paths.filter((path) => existsSync(join(root, path)))]);
  if (!check && isFresh(STAMP, key())) return [];
  const stale = [];
  for (const path of paths) {
    const text = formatted(path, files[path]);
    if (existsSync(join(root, path)) && readText(path) === text) continue;
    stale.push(path);
    if (check) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  if (!check) markFresh(STAMP, key());
  return stale;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const check = process.argv.includes('--check');
  const stale = generateKernels({ check });
  for (const path of stale) {
    console.error(
      `${path}: ${check ? 'is not what kernels/description.mjs says; run `npm run build` and commit it.' : 'written'}`,
    );
  }
  process.exitCode = check && stale.length > 0 ? 1 : 0;
}
