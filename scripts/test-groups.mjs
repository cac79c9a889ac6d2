// Divides the tests by what they need. The need follows from what a test file imports, and from what the files of test/
// that it reaches import. No file has a mark that could be wrong. Only files that compute for long are named, as
// nothing else tells them apart. vitest.config.ts (a project for each group) and scripts/test.mjs use the groups.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

/** The groups in the order in which they run. */
export const testGroups = ['fast', 'thorough', 'training', 'processes', 'browser'];

/** The most demanding group comes first: a file belongs to the first group of which the file has a sign. */
const SIGNS = [
  ['browser', ({ specifier }) => /^playwright/.test(specifier)],
  ['processes', ({ specifier }) => /^(node:)?(child_process|cluster)$/.test(specifier)],
  ['training', ({ specifier }) => specifier.startsWith('experiments/') || specifier === 'cli/program.ts'],
  [
    'training',
    ({ specifier, names }) => specifier.startsWith('src/') && /\b(train|Trainer|Distillation|AdamW)\b/.test(names),
  ],
  ['thorough', ({ specifier }) => /^(onnxruntime-|test\/(conformance|features\/statistics)\b)/.test(specifier)],
];

/** Files of the group `thorough` that compute for more than a second or so, below test/. */
const LONG = [
  'attention/decoding/states',
  'attention/gradients',
  'attention/inspect/num-features',
  'attention/inspect/report',
  'attention/inspect/attention-rows',
  'attention/left-out',
  'attention/long-scores',
  'attention/lsh',
  'attention/maps',
  'attention/near-field-long',
  'attention/options',
  'backend/memory',
  'backend/reference',
  'backend/threads',
  'base/async-exports',
  'bench/run',
  'cli/serve/engine',
  'cli/serve/http',
  'cli/serve/sockets',
  'data/formats/fasta',
  'data/formats/wikitext',
  'data/source/decompression/decompression',
  'data/source/files',
  'data/source/hub',
  'data/tokens/token-store',
  'model/encoder-decoder',
  'model/forms',
  'model/generate',
  'model/layers/reversible-stack',
  'model/left-out',
  'model/memory',
  'model/prompt',
  'model/transformer',
  'pretrained/conversion/balance',
  'pretrained/conversion/report',
  'pretrained/hugging-face/tokenizers',
  'tensor/array-ops',
  'tensor/ops',
  'tokenizers/bpe',
  'tokenizers/characters',
  'tokenizers/text-segments',
  'tokenizers/unigram',
].map((name) => `test/${name}.test.ts`);

const IMPORTS =
  /^(?:import|export) (?!type\b)([^;]*?) ?from '([^']+)'|^import '([^']+)'|\b(?:import|require|getBuiltinModule)\(\s*'([^']+)'/gm;

/** What a file imports when it runs: `{specifier, names}`, the specifiers of files as paths from `root`. */
function importsOf(root, path) {
  return [...readFileSync(join(root, path), 'utf8').matchAll(IMPORTS)].map(([, names = '', ...specifiers]) => {
    const specifier = specifiers.find((candidate) => candidate !== undefined);
    return { names, specifier: specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier };
  });
}

function testFiles(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return testFiles(root, path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

/** The test files below `root` by group, as paths from `root`, sorted. */
export function groupTests(root) {
  const known = new Map();
  const imports = (path) => {
    if (!known.has(path)) known.set(path, existsSync(join(root, path)) ? importsOf(root, path) : []);
    return known.get(path);
  };
  /** All imports of a file and of the files of test/ that it reaches. */
  const reached = (path, seen = new Set([path])) =>
    imports(path).flatMap((found) => {
      const { specifier } = found;
      if (!specifier.startsWith('test/') || seen.has(specifier)) return [found];
      seen.add(specifier);
      return [found, ...reached(specifier, seen)];
    });
  const missing = LONG.find((path) => existsSync(join(root, dirname(path))) && !existsSync(join(root, path)));
  if (missing) throw new Error(`scripts/test-groups.mjs names ${missing}, which does not exist: correct the name.`);
  const groups = Object.fromEntries(testGroups.map((group) => [group, []]));
  for (const path of testFiles(root, 'test').sort()) {
    const all = reached(path);
    const [group] = SIGNS.find(([, isSign]) => all.some(isSign)) ?? [LONG.includes(path) ? 'thorough' : 'fast'];
    groups[group].push(path);
  }
  return groups;
}
