// Every check and every test; ends with `N passed, N failed, N skipped`. Arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './build-tools.mjs';

const RESULTS = 'build/test-results.json';
const node = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;

const counts = { passed: 0, failed: 0, skipped: 0 };
const checks = {
  'biome check': ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
  'tsc --noEmit': ['node_modules/typescript/bin/tsc', '--noEmit'],
  layers: ['scripts/check-layers.mjs'],
};
for (const [name, args] of Object.entries(checks)) {
  const passed = node(...args);
  counts[passed ? 'passed' : 'failed']++;
  process.stdout.write(`${passed ? 'ok' : 'FAILED'}: ${name}\n`);
}

mkdirSync(join(root, 'build'), { recursive: true });
rmSync(join(root, RESULTS), { force: true });
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${RESULTS}`];
const vitestPassed = node('node_modules/vitest/vitest.mjs', 'run', ...reporters, ...process.argv.slice(2));
if (existsSync(join(root, RESULTS))) {
  const results = JSON.parse(readFileSync(join(root, RESULTS), 'utf8'));
  counts.passed += results.numPassedTests;
  counts.failed += results.numFailedTests;
  counts.skipped += results.numPendingTests + results.numTodoTests;
}
// A file that does not load, or an unhandled error, fails no test of its own.
if (!vitestPassed && counts.failed === 0) counts.failed = 1;

process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed === 0 ? 0 : 1);
