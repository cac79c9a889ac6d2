// Writes the directories beside it with a build of the release that they stand for (commit 59c6940):
// `node make.mjs PATH_OF_THAT_CHECKOUT`. What the release before wrote must load, continue and give the same numbers.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const release = resolve(process.argv[2]);
process.chdir(import.meta.dirname);
const library = pathToFileURL(join(release, 'dist/node.js')).href;
const { createBackend, Decoder, loadTransformer, saveModel, savedStateToJson, tensor, Transformer } = await import(library);

function run(...args) {
  const result = spawnSync(process.execPath, [join(release, 'dist/cli.js'), ...args], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${args.join(' ')}\n${result.stderr}`);
  return result.stdout;
}

for (const name of ['text', 'classes', 'bytes', 'bpe', 'classifier', 'converted', 'exact', 'whole']) {
  rmSync(name, { recursive: true, force: true });
}
const sentences = ['Snow is cold. ', 'Sand is warm. ', 'Snow lies on sand. '];
const animals = ['The cat sat on the mat. ', 'A cat naps. ', 'Cats purr. '];
mkdirSync('text');
for (const kind of ['cat', 'snow']) mkdirSync(join('classes', kind), { recursive: true });
for (let i = 0; i < 9; i++) {
  writeFileSync(`text/${i}.txt`, sentences[i % 3].repeat(2 + (i % 4)));
  writeFileSync(`classes/cat/${i}.txt`, animals[i % 3].repeat(1 + (i % 2)));
  writeFileSync(`classes/snow/${i}.txt`, sentences[i % 3].repeat(1 + (i % 2)));
}
const sizes = { dModel: 4, numLayers: 2, numHeads: 2, dFeedForward: 8 };
writeFileSync('tiny.json', JSON.stringify({ model: { ...sizes, attention: { type: 'favor', numFeatures: 8 } } }));

const updates = ['--config', 'tiny.json', '--batch-size', '2', '--length', '16', '--threads', '1', '--keep-checkpoints', '1'];
const expected = {};
const metricsOf = (out) =>
  readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).loss)
    .filter((loss) => loss !== undefined);
for (const [out, ...flags] of [
  ['bytes', '--data', 'text/*.txt', '--tokenizer', 'bytes'],
  ['bpe', '--data', 'text/*.txt', '--tokenizer', 'bpe', '--vocab-size', '270'],
  ['classifier', '--data', 'classes/*/*.txt', '--tokenizer', 'bytes', '--objective', 'classification'],
]) {
  run('train', ...flags, ...updates, '--steps', '6', '--out', 'whole');
  expected[out] = { losses: metricsOf('whole') };
  rmSync('whole', { recursive: true });
  run('train', ...flags, ...updates, '--steps', '4', '--out', out);
  const configuration = readFileSync(join(out, 'run.json'), 'utf8');
  writeFileSync(join(out, 'run.json'), configuration.replaceAll(`${import.meta.dirname}/`, ''));
}
const bert = join(import.meta.dirname, '../transformers/bert');
run('convert', '--from', bert, '--features', '8', '--out', 'converted', '--threads', '1');

const backend = await createBackend({ numThreads: 1 });
const options = { vocabSize: 11, ...sizes, maxLength: 24, attention: 'exact' };
await saveModel('exact', new Transformer(backend, options, 3), { tokenizer: undefined });

const prompt = 'Snow is ';
for (const out of ['bytes', 'bpe']) {
  const flags = ['--tokens', '24', '--temperature', '0', '--threads', '1'];
  expected[out].greedy = run('generate', '--model', out, '--prompt', prompt, ...flags);
  expected[out].sampled = run('generate', '--model', out, '--prompt', prompt, '--tokens', '24', '--seed', '5', '--threads', '1');
}
for (const [name, ids] of [
  ['bytes', [83, 110, 111, 119, 32]],
  ['exact', [3, 1, 4, 1, 5]],
]) {
  const { model } = await loadTransformer(backend, name);
  const decoder = new Decoder(model);
  await decoder.feed(ids);
  const saved = (await decoder.save()).map(savedStateToJson);
  const next = ids.slice(0, 2);
  const logits = Array.from(await decoder.feed(next));
  writeFileSync(`state-${name}.json`, JSON.stringify({ saved, next, logits }));
}
for (const out of ['classifier', 'converted']) {
  const { model } = await loadTransformer(backend, out);
  const ids = Array.from({ length: 12 }, (_, i) => 5 + ((7 * i) % 20));
  const input = tensor(backend, Int32Array.from(ids), [1, ids.length]);
  const hidden = model.forward(input);
  const outputs = out === 'classifier' ? model.classify(hidden) : hidden;
  expected[out] = { ...expected[out], ids, outputs: Array.from(await outputs.data()) };
}
backend.close();
writeFileSync('expected.json', JSON.stringify(expected));
