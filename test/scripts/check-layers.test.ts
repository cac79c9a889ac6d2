/** A made-up tree that is sound, and the same tree with one fault at a time: each must be caught, and only it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/check-layers.mjs', import.meta.url));
const { checkLayers }: { checkLayers: (root: string) => string[] } = await import(script);

const sound: Record<string, string> = {
  'package.json': '{ "dependencies": { "zod": "4", "sharp": "0" }, "devDependencies": { "commander": "14" } }',
  'src/base/errors.ts': 'export class DataError extends Error {}',
  'src/backend/types.ts': 'export interface Backend {}',
  'src/backend/select.ts': "import type { Backend } from './types.ts';\nexport const select = (): Backend => ({});",
  'src/backend/node-host.ts':
    "import { readFileSync } from 'node:fs';\n/** Loads. */\nexport const load = readFileSync;",
  'src/tensor/tensor.ts': "import { select } from '../backend/select.ts';\nexport const tensor = select;",
  'src/base/random.ts': 'export const random = 4;',
  'src/features/map.ts': "export { tensor } from '../tensor/tensor.ts';",
  'src/attention/favor.ts': "import { tensor } from '../features/map.ts';\nexport const favor = tensor;",
  'src/model/linear.ts':
    "import { tensor } from '../tensor/tensor.ts';\n/** Projects. */\nexport const linear = tensor;",
  'src/storage/load.ts': "import { linear } from '../model/linear.ts';\nexport const load = linear;",
  'src/tokenizers/bytes.ts': "import { random } from '../base/random.ts';\nexport const bytes = random;",
  'src/data/text.ts': "import { random } from '../base/random.ts';\nexport const text = random;",
  'src/training/loop.ts': "import { text } from '../data/text.ts';\n/** Loops. */\nexport const loop = text;",
  'src/entries/browser/performers.ts':
    "import { z } from 'zod';\nexport { loop } from '../../training/loop.ts';\nexport { z };",
  'src/entries/performers.ts':
    "export * from './browser/performers.ts';\nexport { load } from '../backend/node-host.ts';",
  'cli/main.ts': "import { load } from '../src/entries/performers.ts';\nimport { help } from './help.ts';\nload(help);",
  'cli/help.ts': "import { Command } from 'commander';\nexport const help = new Command();",
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'check-layers-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

/** Writes the sound tree with `changes`; undefined leaves a file out. */
function writeTree(changes: Record<string, string | undefined>): void {
  for (const [path, text] of Object.entries({ ...sound, ...changes })) {
    if (text === undefined) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

describe('check-layers', () => {
  test('a sound tree passes', () => {
    writeTree({});
    expect(checkLayers(root)).toEqual([]);
  });

  const faulty: [name: string, changes: Record<string, string | undefined>, faults: RegExp[]][] = [
    [
      'an import from the right',
      {
        'src/tensor/tensor.ts':
          "import { select } from '../backend/select.ts';\nimport { linear } from '../model/linear.ts';",
      },
      [
        /^src\/tensor\/tensor\.ts:2: imports \.\.\/model\/linear\.ts: tensor may import only base, backend; move/,
        /^src\/model\/linear\.ts:1: imports \.\.\/tensor\/tensor\.ts: closes the cycle/,
      ],
    ],
    [
      'an error without a class',
      { 'src/base/random.ts': "export const random = () => {\n  throw new RangeError('no');\n};" },
      [/^src\/base\/random\.ts:2: makes a plain RangeError; use a class of src\/base\/errors\.ts/],
    ],
    [
      'a type-only import from the right',
      {
        'src/backend/types.ts':
          "import type { tensor } from '../tensor/tensor.ts';\nexport type Backend = typeof tensor;",
      },
      [
        /^src\/backend\/types\.ts:1: imports \.\.\/tensor\/tensor\.ts: backend may import only base; move/,
        /closes the cycle/,
      ],
    ],
    [
      'a dynamic import from the right',
      {
        'src/model/linear.ts': "export const linear = () => import('../storage/other.ts');",
        'src/storage/other.ts': '',
      },
      [
        /^src\/model\/linear\.ts:1: imports \.\.\/storage\/other\.ts: model may import only base, backend, tensor, features, attention/,
      ],
    ],
    [
      'an import type from the right',
      { 'src/base/random.ts': "export type Loop = typeof import('../training/loop.ts');\nexport const random = 4;" },
      [/^src\/base\/random\.ts:1: imports \.\.\/training\/loop\.ts: base imports no other layer/, /closes the cycle/],
    ],
    [
      'data that needs more than random numbers',
      { 'src/data/text.ts': "export { tensor as text } from '../tensor/tensor.ts';" },
      [/^src\/data\/text\.ts:1: imports \.\.\/tensor\/tensor\.ts: data may import only base, tokenizers;/],
    ],
    [
      'a layer that imports an entry point',
      {
        'src/training/loop.ts':
          "import type { z } from '../entries/browser/performers.ts';\n/** Loops. */\nexport const loop: typeof z = 1;",
      },
      [
        /^src\/training\/loop\.ts:1: imports \.\.\/entries\/browser\/performers\.ts: nothing in src\/ imports an entry point/,
        /closes the cycle/,
      ],
    ],
    [
      'a program that bypasses the entry points',
      { 'cli/main.ts': "import { tensor } from '../src/tensor/tensor.ts';\ntensor();" },
      [/^cli\/main\.ts:1: imports \.\.\/src\/tensor\/tensor\.ts: cli\/ may import only src\/entries\//],
    ],
    [
      'a program that is imported',
      { 'bench/gemm.ts': "import { help } from '../cli/help.ts';\nhelp.parse();" },
      [/^bench\/gemm\.ts:1: imports \.\.\/cli\/help\.ts: nothing imports cli\//],
    ],
    [
      'a part of the experiments other than what the command line may run',
      {
        'experiments/index.ts': "export { draw } from './draw.ts';",
        'experiments/draw.ts': 'export const draw = 1;',
        'cli/main.ts': "import { draw } from '../experiments/index.ts';\nimport '../experiments/draw.ts';\ndraw;",
        'bench/gemm.ts': "import { draw } from '../experiments/index.ts';\ndraw;",
      },
      [
        /^cli\/main\.ts:2: imports \.\.\/experiments\/draw\.ts: nothing imports experiments\//,
        /^bench\/gemm\.ts:1: imports \.\.\/experiments\/index\.ts: nothing imports experiments\//,
      ],
    ],
    [
      'a cycle of types',
      {
        'src/backend/types.ts': "export type { select } from './select.ts';\nexport interface Backend {}",
      },
      [/^src\/backend\/(select|types)\.ts:1: imports .*: closes the cycle/],
    ],
    [
      'a cycle inside a layer',
      {
        'src/tensor/a.ts': "import { b } from './b.ts';\nexport const a = () => b;",
        'src/tensor/b.ts': "export { c as b } from './c.ts';",
        'src/tensor/c.ts': "import { a } from './a.ts';\nexport const c = () => a;",
      },
      [
        /^src\/tensor\/c\.ts:1: imports \.\/a\.ts: closes the cycle src\/tensor\/a\.ts → .*b\.ts → .*c\.ts → src\/tensor\/a\.ts/,
      ],
    ],
    [
      'a layer without files',
      { 'src/features/map.ts': undefined, 'src/attention/favor.ts': 'export const favor = 1;' },
      [/^src\/features\/: the layer has no files/],
    ],
    [
      'a folder that is no layer, and a file in none',
      { 'src/utils/misc.ts': '', 'src/helpers.ts': '' },
      [/^src\/helpers\.ts: is in no layer/, /^src\/utils\/misc\.ts: src\/utils\/ is no known layer/],
    ],
    [
      'a Node module behind the browser entry',
      {
        'src/model/linear.ts':
          "import { load } from '../backend/node-host.ts';\n/** Projects. */\nexport const linear = load;",
        'src/entries/browser/performers.ts': "export { linear } from '../../model/linear.ts';",
      },
      [
        /^src\/backend\/node-host\.ts:1: imports node:fs, reached by src\/entries\/browser\/performers\.ts → src\/model\/linear\.ts → src\/backend\/node-host\.ts/,
      ],
    ],
    [
      'a Node module without its prefix',
      { 'src/entries/browser/performers.ts': "import { join } from 'path/posix';\nexport { join };" },
      [/^src\/entries\/browser\/performers\.ts:1: imports path\/posix, .*browsers have no Node modules/],
    ],
    [
      'a package that may not run in a browser',
      { 'src/entries/browser/performers.ts': "import sharp from 'sharp/lib';\nexport { sharp };" },
      [/^src\/entries\/browser\/performers\.ts:1: imports sharp\/lib, .*not known to run in a browser/],
    ],
    [
      'a package that package.json does not list, for its types alone',
      { 'cli/help.ts': "import type { Help } from '@scope/help/types';\nexport const help: Help = { a: 1 };" },
      [/^cli\/help\.ts:1: imports @scope\/help\/types, which package\.json does not list; add it/],
    ],
    [
      'no browser entry',
      { 'src/entries/browser/performers.ts': undefined, 'src/entries/performers.ts': undefined, 'cli/main.ts': '' },
      [/^src\/entries\/: has no file for browsers/],
    ],
    [
      'an entry of more names than one learns',
      {
        'src/model/many.ts': Array.from(
          { length: 41 },
          (_, i) => `/** One of many. */\nexport const name${i} = 0;`,
        ).join('\n'),
        'src/entries/many.ts': `export { ${Array.from({ length: 41 }, (_, i) => `name${i}`).join(', ')} } from '../model/many.ts';`,
      },
      [/^src\/entries\/many\.ts: has 41 values; one learns 40 at most/],
    ],
    [
      'a public name without documentation',
      { 'src/entries/browser/performers.ts': "export { bytes } from '../../tokenizers/bytes.ts';" },
      [/^src\/entries\/browser\/performers\.ts: exports bytes of src\/tokenizers\/bytes\.ts, which has no doc comment/],
    ],
    [
      'a path that does not exist',
      { 'src/model/linear.ts': "export { linear } from './lin.ts';" },
      [/^src\/model\/linear\.ts:1: imports \.\/lin\.ts, which does not exist/],
    ],
  ];
  test.each(faulty)('%s is caught', (_, changes, expected) => {
    writeTree(changes);
    const faults = checkLayers(root);
    expect(faults).toHaveLength(expected.length);
    expected.forEach((pattern, i) => {
      expect(faults[i]).toMatch(pattern);
    });
  });

  test('type-only imports reach no Node module', () => {
    writeTree({
      'src/entries/browser/performers.ts':
        "import type { load } from '../../backend/node-host.ts';\nexport type Load = typeof load;",
    });
    expect(checkLayers(root)).toEqual([]);
  });

  test('a folder of 15 files is sound, one of 16 is not', () => {
    const files = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`src/features/map-${i}.ts`, '']));
    writeTree(files(14));
    expect(checkLayers(root)).toEqual([]);
    writeTree(files(15));
    const kernels = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`kernels/dense/gemm-${i}.cc`, '']));
    const scripts = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`scripts/build-${i}.mjs`, '']));
    writeTree({ ...kernels, ...scripts });
    expect(checkLayers(root)).toEqual([
      expect.stringMatching(/^src\/features\/: holds 16 files; divide the folder/),
      expect.stringMatching(/^kernels\/dense\/: holds 16 files/),
      expect.stringMatching(/^scripts\/: holds 16 files/),
    ]);
  });

  test('as a program it prints one line per fault and fails if there is one', () => {
    const run = () => spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
    writeTree({});
    expect(run()).toMatchObject({ status: 0, stderr: '' });
    writeTree({ 'src/helpers.ts': '', 'src/utils/misc.ts': '' });
    const { status, stderr } = run();
    expect(status).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });
});
