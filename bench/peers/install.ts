/**
 * Peers are no dependencies of the package: several hundred megabytes that only the bench needs. They are listed in
 * bench/package.json and installed into bench/node_modules when the bench first wants them.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The folder bench/, whether this runs from there or bundled into dist/. */
export const benchFolder = ((): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'bench/package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('The folder bench/ of the repository is missing: run the bench in a checkout.');
    folder = parent;
  }
  return join(folder, 'bench');
})();

const manifest = join(benchFolder, 'package.json');
/** The manifest that was last installed: installation is tried once for each. */
const stamp = join(benchFolder, 'node_modules/.stamp-peers');

function listed(): readonly string[] {
  const { optionalDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  return Object.keys(optionalDependencies);
}

const isInstalled = (name: string): boolean => existsSync(join(benchFolder, 'node_modules', name, 'package.json'));

/** Installs the peers if this manifest never was. A package that fails does not stop the others; loading it says so. */
export async function installPeers(say: (line: string) => void): Promise<void> {
  const wanted = readFileSync(manifest, 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say(`Installing the engines to compare with into bench/node_modules, once: ${listed().join(', ')} …`);
  const problem = await runNpm();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
  const absent = listed().filter((name) => !isInstalled(name));
  if (absent.length > 0)
    say(`Not installed: ${absent.join(', ')}${problem === undefined ? '' : ` (npm: ${problem})`}.`);
}

/** npm silently leaves out optional dependencies that it cannot fetch or build. */
function runNpm(): Promise<string | undefined> {
  const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--fetch-retries=1', '--loglevel=error'];
  // onnxruntime-node would download GPU libraries
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const options = { cwd: benchFolder, env, stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'] };
  const npm = process.env.npm_execpath;
  const child =
    npm && /npm-cli\.[cm]?js$/.test(npm)
      ? spawn(process.execPath, [npm, ...args], options)
      : spawn('npm', args, { ...options, shell: process.platform === 'win32' });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
    process.stderr.write(chunk);
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) =>
      resolve(code === 0 ? undefined : complaint.trim().split('\n')[0] || `exit code ${code}`),
    );
  });
}

/**
 * Imports a peer from bench/node_modules; T is what the caller declares of it, so that types need no installed package.
 * @throws if it is not installed, or does not load.
 */
export async function loadPeer<T>(name: string): Promise<T> {
  const [, packageName] = /^((?:@[^/]+\/)?[^/]+)/.exec(name) ?? [];
  if (!isInstalled(packageName)) {
    throw new Error(`it is not installed: remove bench/node_modules and run the bench again, with a network`);
  }
  const { load } = (await import(pathToFileURL(join(benchFolder, 'peers/load.mjs')).href)) as {
    load(name: string): Promise<T>;
  };
  return load(name);
}
