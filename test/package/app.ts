// An app in Node, Bun or Deno: attention on tensors, and a model that is made, saved, loaded and written with.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Backend,
  createBackend,
  favorAttention,
  loadModel,
  saveModel,
  streamText,
  Transformer,
  tensor,
} from 'performers';
import { ByteTokenizer } from 'performers/tokenizers';

/** The mean of the values, which attention over equal keys gives. */
export async function meanOf(backend: Backend, values: readonly number[]): Promise<number> {
  const zeros = tensor(backend, new Float32Array(4 * values.length), [1, 1, values.length, 4]);
  const columns = tensor(
    backend,
    Float32Array.from({ length: 4 * values.length }, (_, i) => values[i >> 2] ?? 0),
    [1, 1, values.length, 4],
  );
  const out = favorAttention(zeros, zeros, columns, { features: { numFeatures: 16, seed: 1 } });
  return (await out.data())[0] ?? Number.NaN;
}

const backend = await createBackend({ numThreads: 2 });
const mean = await meanOf(backend, [1, 2, 6]);

const tokenizer = new ByteTokenizer();
const model = new Transformer(
  backend,
  { vocabSize: tokenizer.vocabSize, dModel: 16, numLayers: 1, numHeads: 2, dFeedForward: 32 },
  1,
);
const directory = mkdtempSync(join(tmpdir(), 'performers-app-'));
await saveModel(directory, model, { tokenizer: JSON.stringify(tokenizer) });
const loaded = await loadModel(backend, directory);
let text = '';
for await (const piece of streamText(loaded.model, loaded.tokenizer, 'Once', { maxTokens: 5, seed: 1 })) text += piece;
rmSync(directory, { recursive: true });
console.log(`${backend.name === 'native' || backend.name === 'wasm'} ${mean.toFixed(3)} ${text.length > 0}`);
backend.close();
