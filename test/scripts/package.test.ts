import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the packed package compiles, bundles and runs in fresh apps', () => {
  const script = join(import.meta.dirname, '../../scripts/try-package.mjs');
  const output = execFileSync(process.execPath, [script, '--quick'], { encoding: 'utf8' });
  expect(output).not.toContain('FAILED');
});
