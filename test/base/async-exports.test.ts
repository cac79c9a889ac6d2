/** Everything asynchronous yields: each asynchronous export is measured here, or has its reason. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { ByteTokenizer } from '../../src/tokenizers/bytes.ts';
import * as api from '../library.ts';
import { asyncExports } from './async-exports.ts';

const backend = await api.createBackend({ backend: 'native', numThreads: 1 });
const sizes = {
  vocabSize: 257,
  dModel: 32,
  numLayers: 3,
  numHeads: 2,
  dFeedForward: 32,
  maxLength: 2048,
  positions: 'rotary',
} as const;
const model = new api.Transformer(backend, { ...sizes, attention: { type: 'favor', numFeatures: 16 } }, 1);
const ids = Int32Array.from({ length: 640 }, (_, i) => i % 250);
const text = 'one two three four. '.repeat(40_000);
const texts = Array.from({ length: 12 }, (_, i) => `${i} ${text.slice(0, 70_000)}`);

const draw = (seed: number) => {
  const random = new api.Random(seed, api.streams.initialisation);
  return api.tensor(
    backend,
    Float32Array.from({ length: 2 * 96 * 8 }, () => random.normal()),
    [1, 2, 96, 8],
  );
};
const [queries, keys, values] = [1, 2, 3].map(draw);
const measured = Array.from({ length: 3 }, () => ({ input: ids.slice(0, 64), shape: [1, 64], options: {} }));
const batches = Array.from({ length: 6 }, () => ({
  batchSize: 1,
  length: 32,
  inputs: ids.slice(0, 32),
  targets: ids.slice(1, 33),
}));
const data = { batchAt: (i: number) => batches[i % 6] };
const training = api.parseTrainingConfiguration({ accumulate: 4, batchSize: 1, length: 32, learningRate: 1e-9 });
const { distillation } = api.parseTrainingConfiguration({ distillation: {} });
const exact = new api.Transformer(backend, { ...sizes, attention: 'exact' }, 1);
const teacher = new api.Distillation(exact, distillation!, training.objective);
const bytes = new ByteTokenizer();

interface Case {
  /** Pauses of this work where the clock says that every piece takes long: one fewer fails. 0 where threads do the work. */
  readonly pauses: number;
  /** A generator ends when the signal aborts; a promise rejects with its reason. */
  readonly endsQuietly?: boolean;
  run(signal: AbortSignal): Promise<unknown>;
}

async function drain(values: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of values) count++;
  return count;
}

const translator = () =>
  new api.EncoderDecoder(backend, {
    ...{ sourceVocabSize: 20, targetVocabSize: 20, dModel: 16, numHeads: 2, dFeedForward: 16, maxLength: 64 },
    ...{ numEncoderLayers: 2, numDecoderLayers: 1 },
  });

const cases: Readonly<Record<string, Case>> = {
  'Decoder.feed': { pauses: 51, run: (signal) => new api.Decoder(model).feed(ids, { signal }) },
  generate: {
    pauses: 240,
    endsQuietly: true,
    run: (signal) => drain(api.generate(model, [1], { signal, maxTokens: 40 })),
  },
  streamText: {
    pauses: 240,
    endsQuietly: true,
    run: (signal) => drain(api.streamText(model, bytes, 'abc', { signal, maxTokens: 40 })),
  },
  translate: {
    pauses: 23,
    endsQuietly: true,
    run: (signal) => drain(api.translate(translator(), [1, 2, 3], { start: 1, stop: 99, maxTokens: 20, signal })),
  },
  approximationReport: {
    pauses: 2126,
    run: (signal) => api.approximationReport(queries, keys, values, { features: { numFeatures: 16 }, signal }),
  },
  smallestNumFeatures: {
    pauses: 868,
    run: (signal) => api.smallestNumFeatures(queries, keys, values, { error: 0.5, maxNumFeatures: 64, signal }),
  },
  attentionRows: { pauses: 65, run: (signal) => api.attentionRows(queries, keys, [1, 5, 9, 70, 80], { signal }) },
  topKeys: { pauses: 41, run: (signal) => api.topKeys(queries, keys, 70, 3, { signal }) },
  compareModels: { pauses: 114, run: (signal) => api.compareModels(model, model, measured, { signal }) },
  balanceAttention: { pauses: 648, run: (signal) => api.balanceAttention(model, measured, { signal }) },
  conversionReport: {
    pauses: 1313,
    run: (signal) =>
      api.conversionReport(new api.Transformer(backend, { ...sizes, attention: 'exact' }, 1), measured, {
        ...{ numFeatures: [16], estimators: ['positive'], maxRows: 4, signal },
      }),
  },
  evaluate: { pauses: 115, run: (signal) => api.evaluate(model, batches, { signal }) },
  'evaluate with a teacher': { pauses: 247, run: (signal) => api.evaluate(model, batches, { teacher, signal }) },
  'Distillation.teach': { pauses: 21, run: (signal) => teacher.teach(batches[0], { signal }) },
  globalNorm: { pauses: 51, run: (signal) => api.globalNorm([...model.parameters().values()], { signal }) },
  'Trainer.step with a teacher': {
    pauses: 704,
    run: (signal) => {
      const configuration = { ...training, distillation: teacher.configuration };
      return new api.Trainer({ model, data, configuration, teacher: teacher.teacher }).step({ signal });
    },
  },
  'Trainer.step': {
    pauses: 596,
    run: (signal) => new api.Trainer({ model, data, configuration: training }).step({ signal }),
  },
  targetCounts: { pauses: 6, run: (signal) => api.targetCounts(batches, 257, { signal }) },
  empiricalBaseline: { pauses: 6, run: (signal) => api.empiricalBaseline(new Float64Array(257), batches, { signal }) },
  fromTexts: { pauses: 60, run: (signal) => api.fromTexts(texts, bytes, { by: 'tail', fraction: 0.1 }, { signal }) },
  trainBpe: { pauses: 19, run: (signal) => api.trainBpe(texts, { vocabSize: 262, signal }) },
  trainCharacters: { pauses: 12, run: (signal) => api.trainCharacters(texts, { signal }) },
  trainUnigram: { pauses: 19, run: (signal) => api.trainUnigram(texts, { vocabSize: 262, signal }) },
};

const folder = mkdtempSync(join(tmpdir(), 'performers-async-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const gpt2 = new api.Transformer(
  backend,
  { vocabSize: 11, dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 48, maxLength: 24, positions: 'learned' },
  3,
);
await api.saveModel(join(folder, 'model'), model, { tokenizer: JSON.stringify(bytes) });
const huggingFace = await api.exportHuggingFace(gpt2);
const textFiles = texts.map((each, i) => {
  const path = join(folder, `text-${i}.txt`);
  writeFileSync(path, each);
  return path;
});
const dataset = await api.openDataset({ data: textFiles, split: { by: 'tail', fraction: 0.1 } });
let numSaved = 0;

/** A new name below a folder that is to stay empty where the work is stopped. */
const fresh = () => join(folder, 'out', `${numSaved++}`);

/** Names that no work may leave behind once it is stopped. */
const leftovers = () => (existsSync(join(folder, 'out')) ? readdirSync(join(folder, 'out')) : []);

const fileCases: Readonly<Record<string, Case>> = {
  loadModel: { pauses: 6, run: (signal) => api.loadModel(backend, join(folder, 'model'), { signal }) },
  loadModelFiles: { pauses: 4, run: (signal) => api.loadModelFiles(join(folder, 'model'), { signal }) },
  loadTransformer: { pauses: 5, run: (signal) => api.loadTransformer(backend, join(folder, 'model'), { signal }) },
  loadTeacher: { pauses: 60, run: (signal) => api.loadTeacher(backend, join(folder, 'model'), { signal }) },
  saveModel: { pauses: 58, run: (signal) => api.saveModel(fresh(), model, { signal }) },
  saveFiles: {
    pauses: 13,
    run: (signal) => api.saveFiles(fresh(), new Map(texts.map((t, i) => [`${i}`, t])), { signal }),
  },
  readWeights: { pauses: 54, run: (signal) => api.readWeights(model, { signal }) },
  exportOnnx: { pauses: 57, run: (signal) => api.exportOnnx(model, { signal }) },
  exportHuggingFace: { pauses: 30, run: (signal) => api.exportHuggingFace(gpt2, { signal }) },
  readHuggingFace: { pauses: 29, run: (signal) => api.readHuggingFace(huggingFace, { signal }) },
  brotliBitsPerCharacter: {
    pauses: 0,
    run: (signal) => api.brotliBitsPerCharacter(texts[0], texts[1], { signal }),
  },
  datasetText: { pauses: 24, run: (signal) => drain(api.datasetText({ ...dataset }, 'train', { signal })) },
  tokenizeDataset: {
    pauses: 72,
    run: async (signal) => {
      mkdirSync(join(folder, 'out'), { recursive: true });
      // A copy of the dataset counts its characters anew.
      await (await api.tokenizeDataset({ ...dataset }, bytes, { file: fresh(), signal })).close();
    },
  },
};

const copies = 'copies tensors out, one await for each: a copy is one step';
const reads = 'reads its files in chunks, and the event loop turns at each';
const files =
  'reads or writes whole files through the file system; the work in between is one step for each tensor or file';
const reasons: Readonly<Record<string, string>> = {
  'AdamW.save': copies,
  'Decoder.save': copies,
  'FavorState.save': copies,
  'KeyValueCache.save': copies,
  'Tensor.data': copies,
  'Trainer.saveOptimizer': copies,
  loadCheckpoint: 'measured as loadModelFiles, whose reading it shares',
  fetchFromHub:
    'stops at its signal, which test/data/source/hub.test.ts shows; waits for the network, and hashes each piece as it arrives',
  openDataset: 'finds files; those of the hub are fetched by fetchFromHub, which has the signal',
  pause: 'is the pause itself',
  'Pauses.next': 'is the pause itself',
  inSteps: 'pauses between pieces, as Trainer.step shows',
  listOpsTokenizer: 'measured as trainCharacters, which it is',
  tokensFingerprint: 'measured as a part of tokenizeDataset in memory',
  lockRun: 'takes a lock file, once',
  readNewest: 'reads the files of a checkpoint once more where they were removed meanwhile',
  'EncoderDecoder.encodeInSteps': 'measured as a part of translate',
  'Transformer.attentionInputsInSteps': 'measured as a part of balanceAttention and conversionReport',
  'Transformer.forwardInSteps': 'measured as a part of evaluate and compareModels',
  createBackend: 'loads a module once',
  segments: 'cuts what its source yields: the consumer and the source decide when the event loop turns',
  train: 'yields after every update, which is measured as Trainer.step; ends with a checkpoint when its signal aborts',
  ...Object.fromEntries(
    [
      ...['expandPaths', 'imagePaths', 'openText'],
      ...['readFasta', 'readImageFiles', 'readJsonl', 'readLabelledFolder', 'readLabelledTable', 'readListOps'],
      ...['readNpzImages', 'readParquet', 'readPg19', 'readText', 'readUniProt', 'readWikipedia'],
    ].map((name) => [name, reads]),
  ),
  ...Object.fromEntries(
    [
      ...['checkEmpty', 'directoryFiles', 'findCheckpoint', 'isCheckpoint', 'loadAnyTokenizer', 'loadForeignTokenizer'],
    ].map((name) => [name, files]),
  ),
};

const allCases = { ...cases, ...fileCases };

afterEach(() => {
  vi.restoreAllMocks();
});

let time = 0;

/** Every look at the clock finds it 100 ms later, so that every pause lets the event loop turn. Never goes back. */
function slowClock(): void {
  time = Math.max(time, performance.now()) + 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    time += 100;
    return time;
  });
}

describe('asynchronous exports', () => {
  it('generate: timers fire and a signal ends it, by the real clock', async () => {
    let fired = 0;
    const stop = new AbortController();
    const timer = setInterval(() => {
      if (++fired === 3) stop.abort();
    }, 20);
    const count = await drain(api.generate(model, [1], { signal: stop.signal, maxTokens: 20_000 }));
    clearInterval(timer);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(20_000);
  });

  it('are all measured here, or have a reason', () => {
    const measured = Object.keys(allCases).filter((name) => !name.includes(' '));
    expect([...measured, ...Object.keys(reasons)].sort()).toEqual(asyncExports());
  });

  for (const [name, { pauses, endsQuietly, run }] of Object.entries(allCases)) {
    it(`${name} does nothing where its signal has aborted already`, async () => {
      const before = leftovers();
      const reason = new Error('enough');
      const result = run(AbortSignal.abort(reason));
      if (endsQuietly) expect(await result).toBe(0);
      else await expect(result).rejects.toBe(reason);
      expect(leftovers()).toEqual(before);
    });

    it(`${name} lets the event loop turn between its pieces, and stops on its signal`, async () => {
      slowClock();
      const turns = vi.spyOn(globalThis, 'setImmediate');
      await run(new AbortController().signal);
      const paused = turns.mock.calls.length;
      turns.mockRestore();
      expect(paused).toBeGreaterThanOrEqual(pauses);

      // At the third turn, or the first where there are few.
      const before = leftovers();
      const reason = new Error('enough');
      const stop = new AbortController();
      let stopped = 0;
      const stopAt = () => {
        if (++stopped >= Math.min(3, pauses / 3)) stop.abort(reason);
        else setImmediate(stopAt);
      };
      setImmediate(stopAt);
      if (endsQuietly) expect(await run(stop.signal)).toBeLessThan(pauses / 2);
      else await expect(run(stop.signal)).rejects.toBe(reason);
      expect(leftovers()).toEqual(before);
    });
  }
});
