// Makes a fresh clone ready: installs packages, builds the kernels and dist/. Needs only Node and npm; skips what is
// done. `--quiet` prints only what had to be done, to standard error. `--kernels` leaves out what only programs run
// from dist/.
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hash, hashFiles, isFresh, listFiles, markFresh, root, runProgram, step } from './build-tools.mjs';
import { publicEntries } from './entries.mjs';
import { buildKernels } from './kernels/build.mjs';

const MINIMUM_NODE = [20, 19];
const WORKER = 'dist/kernels/worker.js';
const ENTRIES = {
  ...Object.fromEntries(Object.entries(publicEntries).map(([name, source]) => [`dist/${name}.js`, source])),
  'dist/cli.js': 'cli/main.ts',
  'dist/bench.js': 'bench/main.ts',
  'dist/bench-depth.js': 'bench/whole/depth-child.ts',
  'dist/bench-memory.js': 'bench/whole/memory-child.ts',
  [WORKER]: 'src/backend/wasm/worker.ts',
};

const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  throw new Error(`Node ${process.versions.node} is too old: install Node ${MINIMUM_NODE.join('.')} or newer.`);
}

/** True if node_modules holds what package-lock.json lists; packages for other platforms may be absent. */
function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const installed = readJson('node_modules/.package-lock.json').packages;
  return Object.entries(readJson('package-lock.json').packages).every(
    ([path, { version, optional }]) =>
      path === '' || installed[path]?.version === version || (optional && installed[path] === undefined),
  );
}

async function install(doing) {
  if (isInstalled()) return undefined;
  doing('installing what package-lock.json lists');
  // Not `npm ci`, which refuses a lock file that lacks the optional packages of other platforms. A partial registry
  // mirror makes such lock files. This call installs the locked versions too, and leaves the lock file alone.
  const args = ['install', '--no-save', '--no-audit', '--no-fund'];
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const npm = process.env.npm_execpath;
  if (npm && /npm-cli\.[cm]?js$/.test(npm)) await runProgram(process.execPath, [npm, ...args], { env });
  else await runProgram('npm', args, { env, shell: process.platform === 'win32' });
  return 'installed from package-lock.json';
}

/** Hash of what the worker of the WebAssembly kernels is made from. */
const workerKey = () =>
  hashFiles([...listFiles('src/backend', /\.ts$/), ...listFiles('src/base', /\.ts$/), 'tsdown.config.ts']);

async function bundle(doing) {
  if (process.argv.includes('--kernels') && isFresh(WORKER, workerKey())) return 'skipped (--kernels)';
  const sources = ['src', 'cli', 'bench', 'demo'].flatMap((folder) => listFiles(folder, /\.(ts|json)$/));
  const experiments = listFiles('experiments', /(\.ts|config\.json)$/);
  const key = hash(
    hashFiles([...sources, ...experiments, 'package-lock.json', 'package.json', 'tsconfig.json', 'tsdown.config.ts']),
  );
  const outputs = Object.entries(ENTRIES).filter(([, source]) => existsSync(join(root, source)));
  const keyOf = (output) => (output === WORKER ? workerKey() : key);
  if (outputs.every(([output]) => isFresh(output, keyOf(output)))) return undefined;
  const start = Date.now();
  doing('bundling the library, the command line and their types');
  await runProgram(process.execPath, ['node_modules/tsdown/dist/run.mjs']);
  removeOlder(start);
  for (const [output] of outputs) markFresh(output, keyOf(output));
  return outputs.map(([output]) => output).join(', ');
}

/** Removes what earlier builds left in dist/, which would be in the package. The kernels are not of this build. */
function removeOlder(start) {
  for (const path of listFiles('dist', /\.(js|ts|map)$/)) {
    const file = join(root, path);
    // File systems may round times down to a second or two.
    if (!path.startsWith('dist/kernels/') && statSync(file).mtimeMs < start - 2000) rmSync(file);
  }
}

const quiet = process.argv.includes('--quiet');
try {
  checkNode();
  await step('npm packages', quiet, install);
  await buildKernels({ quiet });
  await step('dist', quiet, bundle);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
