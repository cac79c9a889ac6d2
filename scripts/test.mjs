// Every check and every test, stage by stage, each with its time; ends with `N passed, N failed, N skipped`. `--fast` runs
// the checks and the tests that need no process, browser or training. Other arguments go to vitest.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './build-tools.mjs';
import { groupTests, testGroups } from './test-groups.mjs';

const TYPESCRIPT = ['node_modules/typescript/bin/tsc', '--noEmit'];
const CHECKS = {
  'format and lint': ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
  types: [...TYPESCRIPT, '--incremental', '--tsBuildInfoFile', 'build/types.tsbuildinfo'],
  layers: ['scripts/check-layers.mjs'],
  prose: ['scripts/check-prose.mjs'],
  'generated files': ['scripts/generate-kernels.mjs', '--check'],
};

const isFast = process.argv.includes('--fast');
const vitestArguments = process.argv.slice(2).filter((argument) => argument !== '--fast');
const counts = { passed: 0, failed: 0, skipped: 0 };
const stages = [];

/** Runs Node with `args`; resolves to whether that succeeded. What it prints appears at once, or, if `isQuiet`, at its end. */
function node(args, isQuiet = false) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: isQuiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => output.push(data));
    child.on('close', (code) => {
      process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

/** Says that a stage begins, and afterwards how it ended and how long it took. */
async function stage(name, work) {
  process.stdout.write(`▶ ${name}\n`);
  const start = performance.now();
  const outcome = (await work()) ? 'ok' : 'FAILED';
  const line = `${outcome}: ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)\n`;
  process.stdout.write(line);
  stages.push(line);
  return outcome === 'ok';
}

/** The tests of one group, counted test by test. */
async function runGroup(group) {
  const results = join(root, `build/test-results-${group}.json`);
  rmSync(results, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const selection = ['--project', group, '--passWithNoTests'];
  const passed = await node(['node_modules/vitest/vitest.mjs', 'run', ...selection, ...reporters, ...vitestArguments]);
  const found = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : undefined;
  counts.passed += found?.numPassedTests ?? 0;
  counts.skipped += (found?.numPendingTests ?? 0) + (found?.numTodoTests ?? 0);
  // A file that does not load, or an unhandled error, fails no test of its own.
  counts.failed += Math.max(found?.numFailedTests ?? 0, passed ? 0 : 1);
  return passed;
}

/** The checks side by side: one of them takes as long as the others together. */
async function runChecks() {
  await Promise.all(
    Object.entries(CHECKS).map(async ([name, args]) => {
      counts[(await stage(name, () => node(args, true))) ? 'passed' : 'failed']++;
    }),
  );
}

mkdirSync(join(root, 'build'), { recursive: true });
const setup = ['scripts/setup.mjs', ...(isFast ? ['--kernels'] : [])];
if (await stage('set-up', () => node(setup))) {
  const groups = groupTests(root);
  const describe = (group) => `${group} tests (${groups[group].length} files)`;
  const runTests = async () => {
    for (const group of isFast ? ['fast'] : testGroups) await stage(describe(group), () => runGroup(group));
  };
  // The checks leave a processor to spare that an answer within seconds cannot do without.
  if (isFast) await Promise.all([runChecks(), runTests()]);
  else await runChecks().then(runTests);
} else counts.failed++;

process.stdout.write(`\n${stages.join('')}`);
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed === 0 ? 0 : 1);
