// What the build scripts share: content hashes, parallel jobs, one log line per step.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** SHA-256 over strings and buffers, each with its length. */
export function hash(...parts) {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part);
  return sum.digest('hex');
}

/** The files below `folder` (relative to the repository) whose names match, sorted, relative to the repository. */
export function listFiles(folder, pattern) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : listFiles(path, pattern);
      return pattern.test(entry.name) ? [path] : [];
    })
    .sort();
}

export const readText = (path) => readFileSync(join(root, path), 'utf8');

/** A C++ source and the headers of kernels/ that it includes, directly or not: what its object depends on. */
export function withHeaders(source, found = new Set()) {
  found.add(source);
  for (const [, name] of readText(source).matchAll(/^#include "(.+)"$/gm)) {
    const candidates = [`${source.slice(0, source.lastIndexOf('/'))}/${name}`, `kernels/${name}`];
    const path = candidates.find((candidate) => existsSync(join(root, candidate)));
    if (path === undefined) throw new Error(`${source} includes "${name}", which is not in kernels/.`);
    if (!found.has(path)) withHeaders(path, found);
  }
  return [...found].sort();
}

/** One hash of the contents of files. */
export const hashFiles = (paths) => hash(...paths.flatMap((path) => [path, readText(path)]));

/** True if `output` exists and was last made from inputs of this hash. */
export function isFresh(output, key) {
  const stamp = stampOf(output);
  return existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key;
}

/** Records that `output` was made from inputs of this hash. */
export function markFresh(output, key) {
  mkdirSync(dirname(stampOf(output)), { recursive: true });
  writeFileSync(stampOf(output), key);
}

const stampOf = (output) => join(root, 'build/stamps', output.replaceAll('/', '+'));

/** Writes a file under a temporary name, then renames it: a process that has the old file mapped keeps it. */
export function replaceFile(path, contents) {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, target);
}

/** Runs `work` on every item and its index, as many at a time as there are processors. */
export async function inParallel(items, work, width = availableParallelism()) {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await work(items[next], next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}

/** Runs a program; resolves to its output, rejects with its error output. */
export function runProgram(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    let errors = '';
    child.stdout?.on('data', (data) => {
      output += data;
    });
    child.stderr?.on('data', (data) => {
      errors += data;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(' ')} failed with status ${code}:\n${errors || output}`));
    });
  });
}

/**
 * Runs a step and prints one line with its time. `work` returns what was done in a few words, or undefined if there was
 * nothing to do. `work` gets a function that tells what is done at the moment, such as which file of how many. A terminal
 * shows that in one line that changes, other outputs a line for each tenth. Quiet: prints only steps that do something,
 * to standard error; words that start with `skipped` count as nothing.
 */
export async function step(name, quiet, work) {
  const start = performance.now();
  const stream = quiet ? process.stderr : process.stdout;
  const say = (text) => stream.write(`${name.padEnd(18)} ${text}\n`);
  let tenth = -1;
  const doing = (what, index = 0, count = 1) => {
    if (stream.isTTY)
      return stream.write(`\r\x1b[K${name.padEnd(18)} ${count > 1 ? `${index + 1} of ${count}: ` : ''}${what}`);
    if (Math.floor((10 * index) / count) === tenth) return;
    tenth = Math.floor((10 * index) / count);
    say(count > 1 ? `${index + 1} of ${count}: ${what}` : what);
  };
  const done = await work(doing);
  if (stream.isTTY) stream.write('\r\x1b[K');
  if (!quiet || (done && !done.startsWith('skipped'))) {
    say(`${done ?? 'up to date'} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  }
}
