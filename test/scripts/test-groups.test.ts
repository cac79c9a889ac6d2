/** The group of a test file follows from what the file reaches, so that no test can be marked wrongly. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/test-groups.mjs', import.meta.url));
const { groupTests }: { groupTests: (root: string) => Record<string, string[]> } = await import(script);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'performers-groups-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** The group of test/a.test.ts with this text, beside helpers. */
function groupOf(text: string, helpers: Record<string, string> = {}): string {
  for (const [path, content] of Object.entries({ 'test/a.test.ts': text, ...helpers })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return Object.entries(groupTests(root)).find(([, files]) => files.includes('test/a.test.ts'))![0];
}

describe('the group of a test file', () => {
  const cases: [expected: string, text: string][] = [
    ['fast', "import { gemm } from '../src/entries/performers.ts';"],
    ['fast', "import { trainBpe } from '../src/entries/performers.ts';"],
    ['fast', "import type { ChildProcess } from 'node:child_process';"],
    ['thorough', "import { conform } from './conformance/conformance.ts';"],
    ['thorough', "import * as runtime from 'onnxruntime-web/wasm';"],
    ['training', "import {\n  type Batch,\n  train,\n} from '../src/entries/performers.ts';"],
    ['training', "import { Trainer } from '../src/training/trainer.ts';"],
    ['training', "import { AdamW } from '../src/training/optimizer.ts';"],
    ['training', "import { contest } from '../experiments/contest.ts';"],
    ['processes', "import { spawn } from 'node:child_process';"],
    ['processes', "import { spawn } from 'child_process';"],
    ['processes', "const { spawn } = await import('node:child_process');"],
    ['processes', "const { spawn } = process.getBuiltinModule('node:child_process');"],
    ['processes', "import { train } from '../src/entries/performers.ts';\nimport { spawn } from 'node:child_process';"],
    ['browser', "import { chromium } from 'playwright-core';\nimport { spawn } from 'node:child_process';"],
  ];
  test.each(cases)('%s: %s', (expected, text) => {
    expect(groupOf(text)).toBe(expected);
  });

  test('follows from helpers, however far they are and whoever imports whom', () => {
    const helpers = {
      'test/support/near.ts': "import './far.ts';\nexport { x } from '../a.test.ts';",
      'test/support/far.ts': "export * from 'node:child_process';",
    };
    expect(groupOf("import { near } from './support/near.ts';", helpers)).toBe('processes');
  });
});
