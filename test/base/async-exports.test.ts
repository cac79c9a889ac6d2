/** Everything asynchronous yields: each asynchronous export is measured here, or has its reason. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ByteTokenizer } from '../../src/data/tokenizers/bytes.ts';
import * as api from '../../src/node.ts';
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
const bytes = new ByteTokenizer();

interface Case {
  /** Times that the event loop must turn at least, where the clock says that every piece takes long. */
  readonly turns: number;
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
  'Decoder.feed': { turns: 9, run: (signal) => new api.Decoder(model).feed(ids, { signal }) },
  generate: {
    turns: 40,
    endsQuietly: true,
    run: (signal) => drain(api.generate(model, [1], { signal, maxTokens: 40 })),
  },
  streamText: {
    turns: 40,
    endsQuietly: true,
    run: (signal) => drain(api.streamText(model, bytes, 'abc', { signal, maxTokens: 40 })),
  },
  translate: {
    turns: 20,
    endsQuietly: true,
    run: (signal) => drain(api.translate(translator(), [1, 2, 3], { start: 1, stop: 99, maxTokens: 20, signal })),
  },
  approximationReport: {
    turns: 400,
    run: (signal) => api.approximationReport(queries, keys, values, { features: { numFeatures: 16 }, signal }),
  },
  smallestNumFeatures: {
    turns: 200,
    run: (signal) => api.smallestNumFeatures(queries, keys, values, { error: 0.5, maxNumFeatures: 64, signal }),
  },
  attentionRows: { turns: 20, run: (signal) => api.attentionRows(queries, keys, [1, 5, 9, 70, 80], { signal }) },
  topKeys: { turns: 3, run: (signal) => api.topKeys(queries, keys, 70, 3, { signal }) },
  compareModels: { turns: 6, run: (signal) => api.compareModels(model, model, measured, { signal }) },
  balanceAttention: { turns: 100, run: (signal) => api.balanceAttention(model, measured, { signal }) },
  conversionReport: {
    turns: 100,
    run: (signal) =>
      api.conversionReport(new api.Transformer(backend, { ...sizes, attention: 'exact' }, 1), measured, {
        ...{ numFeatures: [16], estimators: ['positive'], maxRows: 4, signal },
      }),
  },
  evaluate: { turns: 6, run: (signal) => api.evaluate(model, batches, { signal }) },
  'Trainer.step': {
    turns: 4,
    run: (signal) => {
      const configuration = api.parseTrainingConfiguration({
        accumulate: 4,
        batchSize: 1,
        length: 32,
        learningRate: 1e-9,
      });
      return new api.Trainer({ model, data: { batchAt: (i) => batches[i % 6] }, configuration }).step({ signal });
    },
  },
  targetCounts: { turns: 6, run: (signal) => api.targetCounts(batches, 257, { signal }) },
  empiricalBaseline: { turns: 6, run: (signal) => api.empiricalBaseline(new Float64Array(257), batches, { signal }) },
  planSplit: {
    turns: 12,
    run: (signal) => api.planSplit(api.textDocuments(texts), { by: 'tail', fraction: 0.1 }, { signal }),
  },
  fromTexts: { turns: 24, run: (signal) => api.fromTexts(texts, bytes, { by: 'tail', fraction: 0.1 }, { signal }) },
  labelledTokens: {
    turns: 12,
    run: (signal) =>
      api.labelledTokens(
        texts.map((each) => ({ text: each, label: 0 })),
        bytes,
        { signal },
      ),
  },
  trainBpe: { turns: 12, run: (signal) => api.trainBpe(texts, { vocabSize: 262, signal }) },
  trainCharacters: { turns: 12, run: (signal) => api.trainCharacters(texts, { signal }) },
  trainUnigram: { turns: 12, run: (signal) => api.trainUnigram(texts, { vocabSize: 262, signal }) },
};

const copies = 'copies tensors out, one await for each: a copy is one step';
const reads = 'reads its files in chunks, and the event loop turns at each';
const files =
  'reads or writes whole files through the file system; the work in between is one step for each tensor or file';
const reasons: Readonly<Record<string, string>> = {
  'Decoder.save': copies,
  'FavorState.save': copies,
  'KeyValueCache.save': copies,
  'Tensor.data': copies,
  'Trainer.saveOptimizer': copies,
  readWeights: copies,
  pause: 'is the pause itself',
  lockRun: 'takes a lock file, once',
  readNewest: 'reads the files of a checkpoint once more where they were removed meanwhile',
  'Distillation.teach': 'one forward pass of one batch is one step',
  'EncoderDecoder.encodeInSteps': 'measured as a part of translate',
  createBackend: 'loads a module once',
  brotliBitsPerCharacter: 'compresses in threads of the platform',
  segments: 'cuts what its source yields: the consumer and the source decide when the event loop turns',
  splitText: 'measured as planSplit, whose loop it shares',
  train: 'yields after every update, which is measured as Trainer.step; ends with a checkpoint when its signal aborts',
  ...Object.fromEntries(
    [
      ...['bookFiles', 'datasetText', 'expandPaths', 'imagePaths', 'labelledFolderClasses', 'openText', 'openDataset'],
      ...['readFasta', 'readImageFiles', 'readJsonl', 'readLabelledFolder', 'readLabelledTable', 'readListOps'],
      ...['readNpzImages', 'readParquet', 'readPg19', 'readText', 'readUniProt', 'readWikipedia', 'createSplitter'],
      ...['tokenizeDataset', 'tokenizeFiles', 'fetchFromHub'],
    ].map((name) => [name, reads]),
  ),
  ...Object.fromEntries(
    [
      ...['checkEmpty', 'directoryFiles', 'findCheckpoint', 'isCheckpoint', 'loadCheckpoint', 'loadModel'],
      ...['loadModelFiles', 'loadTeacher', 'loadTransformer', 'saveFiles', 'saveModel', 'exportHuggingFace'],
      ...['exportOnnx', 'readHuggingFace', 'loadAnyTokenizer', 'loadForeignTokenizer'],
    ].map((name) => [name, files]),
  ),
};

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
  it('generate: a timer fires and a signal ends it, by the real clock', async () => {
    let fired = 0;
    const timer = setInterval(() => fired++, 20);
    const signal = AbortSignal.timeout(200);
    const count = await drain(api.generate(model, [1], { signal, maxTokens: 20_000 }));
    clearInterval(timer);
    expect(signal.aborted).toBe(true);
    expect(count).toBeGreaterThan(0);
    expect(fired).toBeGreaterThanOrEqual(2);
  });

  it('are all measured here, or have a reason', () => {
    expect([...Object.keys(cases), ...Object.keys(reasons)].sort()).toEqual(asyncExports());
  });

  for (const [name, { turns, endsQuietly, run }] of Object.entries(cases)) {
    it(`${name} lets the event loop turn between its pieces, and stops on its signal`, async () => {
      slowClock();
      let turned = 0;
      let isOver = false;
      const tick = () => {
        turned++;
        if (!isOver) setImmediate(tick);
      };
      setImmediate(tick);
      await run(new AbortController().signal);
      isOver = true;
      expect(turned).toBeGreaterThanOrEqual(turns);

      // At the third turn, or the first where there are few.
      const reason = new Error('enough');
      const stop = new AbortController();
      let stopped = 0;
      const stopAt = () => {
        if (++stopped >= Math.min(3, turns / 3)) stop.abort(reason);
        else setImmediate(stopAt);
      };
      setImmediate(stopAt);
      if (endsQuietly) expect(await run(stop.signal)).toBeLessThan(turns / 2);
      else await expect(run(stop.signal)).rejects.toBe(reason);
    });
  }
});
