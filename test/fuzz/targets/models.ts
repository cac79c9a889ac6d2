/** Directories of models: this package's, a run's with its checkpoints, and Hugging Face's. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../../src/base/random.ts';
import { findCheckpoint, restoreModel } from '../../../src/entries/internal.ts';
import {
  type Backend,
  createBackend,
  loadModel,
  saveModel,
  scope,
  Transformer,
  type TransformerOptions,
  tensor,
} from '../../../src/entries/performers.ts';
import { createPretrained, readHuggingFace } from '../../../src/entries/pretrained.ts';
import { ByteTokenizer, loadAnyTokenizer } from '../../../src/entries/tokenizers.ts';
import { loadCheckpoint, parseTrainingConfiguration, train } from '../../../src/entries/training.ts';
import { type Files, readFiles } from '../files.ts';
import { mutateLines } from '../mutate-bytes.ts';
import { mutateJson } from '../mutate-json.ts';
import { mutateOne, type Target } from '../target.ts';
import { mutateSafetensors } from './safetensors.ts';

const createTestBackend = () => createBackend({ numThreads: 1 });

const forms: readonly TransformerOptions[] = [
  {
    vocabSize: 256,
    dModel: 8,
    numLayers: 2,
    numHeads: 2,
    dFeedForward: 12,
    maxLength: 16,
    attention: { type: 'favor', numFeatures: 6 },
  },
  {
    vocabSize: 256,
    dModel: 6,
    numLayers: 1,
    numHeads: 1,
    dFeedForward: 8,
    positions: 'none',
    attention: 'exact',
    causal: false,
  },
  {
    vocabSize: 256,
    dModel: 8,
    numLayers: 1,
    numHeads: 2,
    dFeedForward: 8,
    positions: 'rotary',
    attention: { type: 'favor', numFeatures: 6, featureMap: 'relu' },
  },
  {
    vocabSize: 256,
    dModel: 8,
    numLayers: 1,
    numHeads: 2,
    dFeedForward: 8,
    attention: { type: 'lsh', numHashes: 2, chunkLength: 4, maxBuckets: 4 },
    reversible: true,
  },
  {
    vocabSize: 256,
    dModel: 8,
    numLayers: 2,
    numHeads: 2,
    dFeedForward: 8,
    maxLength: 16,
    causal: false,
    attention: { type: 'linformer', projectedLength: 4 },
    exactLayers: [0],
    numClasses: 3,
    pooler: true,
    tokenTypes: 2,
  },
  {
    vocabSize: 256,
    dModel: 8,
    numLayers: 1,
    numHeads: 2,
    dFeedForward: 8,
    attention: { type: 'auto', numFeatures: 8, featureMap: 'hyperbolic', projection: 'hadamard', crossover: 4 },
    tiedEmbeddings: false,
    norm: 'post',
  },
];

/** Runs `work` in a folder of its own; returns the files that it then holds. */
async function filesOf(work: (folder: string) => Promise<void>): Promise<Files> {
  const parent = mkdtempSync(join(tmpdir(), 'performers-fuzz-seed-'));
  try {
    await work(join(parent, 'made'));
    return readFiles(join(parent, 'made'));
  } finally {
    rmSync(parent, { recursive: true });
  }
}

/** One token through a model that asks for no more than tokens. */
function feed(backend: Backend, model: Transformer): void {
  if (model.configuration.patches || model.configuration.tokenDropout) return;
  scope(() => model.forward(tensor(backend, Int32Array.of(0), [1, 1])));
}

export const model: Target = {
  name: 'model',
  async seeds() {
    const backend = await createTestBackend();
    const tokenizer = JSON.stringify(new ByteTokenizer());
    const seeds: Files[] = [];
    for (const options of forms) {
      seeds.push(await filesOf((folder) => saveModel(folder, new Transformer(backend, options, 1), { tokenizer })));
    }
    backend.close();
    return seeds;
  },
  mutate: (random, seed) => ({ ...seed, 'config.json': mutateJson(random, seed['config.json']!) }),
  async start(folder) {
    const backend = await createTestBackend();
    return async () => {
      const loaded = await loadModel(backend, folder);
      feed(backend, loaded.model);
      loaded.model.dispose();
    };
  },
};

const configuration = parseTrainingConfiguration({
  learningRate: 1e-2,
  steps: 2,
  batchSize: 2,
  length: 6,
  seed: 3,
  checkpointEvery: 1,
  keepCheckpoints: 2,
});

const data = {
  batchAt: () => ({
    inputs: Int32Array.from({ length: 12 }, (_, i) => i),
    targets: Int32Array.from({ length: 12 }, (_, i) => i + 1),
    batchSize: 2,
    length: 6,
  }),
};

const run = (out: string, of: Transformer) => ({
  out,
  model: of,
  data,
  dataFingerprint: 'fuzz',
  tokenizer: JSON.stringify(new ByteTokenizer()),
});

/** A run's directory, from which training resumes by one update. */
export const checkpoint: Target = {
  name: 'checkpoint',
  async seeds() {
    const backend = await createTestBackend();
    const made = await filesOf(async (folder) => {
      for await (const _ of train({ ...run(folder, new Transformer(backend, forms[0]!, 3)), configuration }));
    });
    backend.close();
    return [made];
  },
  mutate(random, seed, other) {
    const mutated = mutateOne(random, seed, other, {
      'training.json': mutateJson,
      'config.json': mutateJson,
      'optimizer.safetensors': mutateSafetensors,
      'model.safetensors': mutateSafetensors,
      'tokenizer.json': mutateJson,
      'metrics.jsonl': mutateLines,
      SHA256SUMS: mutateLines,
    });
    if (random.integer(4) === 0) return mutated;
    // Without checksums, so that changes are read and not only noticed.
    return Object.fromEntries(Object.entries(mutated).filter(([name]) => !name.endsWith('SHA256SUMS')));
  },
  async start(folder) {
    const backend = await createTestBackend();
    return async () => {
      const directory = await findCheckpoint(folder);
      const found = await loadCheckpoint(directory);
      const restored = restoreModel(backend, found, directory);
      const resume = { checkpoint: found, directory };
      const longer = { ...configuration, steps: configuration.steps + 1, checkpointEvery: 0 };
      for await (const event of train({ ...run(folder, restored), configuration: longer, resume })) {
        if (event.kind === 'step') break;
      }
      restored.dispose();
    };
  },
};

const GOLDEN = 'test/golden/transformers';
const MODEL_FILES = /^(config|tokenizer|tokenizer_config|model\.safetensors\.index)\.json$|^model.*\.safetensors$/;

function golden(name: string): Files {
  const names = readdirSync(join(GOLDEN, name)).filter((file) => MODEL_FILES.test(file));
  return Object.fromEntries(names.map((file) => [file, readFileSync(join(GOLDEN, name, file))]));
}

/** A model in Hugging Face's layout, read, built and fed a token. */
export const huggingFace: Target = {
  name: 'hugging-face',
  seeds: async () => ['bert-classes', 'esm-sharded', 'gpt2', 'roberta-f16', 'vit', 'gpt2-bf16'].map(golden),
  mutate(random: Random, seed: Files, other: Files) {
    if (random.integer(2) === 0) return { ...seed, 'config.json': mutateJson(random, seed['config.json']!) };
    return mutateOne(random, seed, other, { '.json': mutateJson, '.safetensors': mutateSafetensors });
  },
  async start() {
    const backend = await createTestBackend();
    return async (files) => {
      const read = await readHuggingFace(new Map(Object.entries(files)));
      if (read.tokenizer) await loadAnyTokenizer(read.tokenizer);
      const made = createPretrained(backend, read);
      feed(backend, made);
      made.dispose();
    };
  },
};
