/** `debug` and `trace` of createBackend: what is printed, what is recorded, and where a run stops. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nodeHost } from '../../src/backend/native/node-host.ts';
import { type BackendOptions, createBackendOn } from '../../src/backend/select.ts';
import type { TraceEvent } from '../../src/backend/trace/event.ts';
import type { Backend, BackendName } from '../../src/backend/types.ts';
import { ConfigurationError, DataError } from '../../src/base/errors.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Decoder } from '../../src/model/generate.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { compiledBackends } from './available.ts';

const names: BackendName[] = [...compiledBackends, 'reference'];
const opened: Backend[] = [];
afterAll(() => {
  for (const backend of opened) backend.close();
});

/** A backend that prints into `lines`. */
async function open(options: BackendOptions, environment: { debug?: string; trace?: string } = {}) {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const backend = await createBackendOn({ ...nodeHost, log, ...environment }, { numThreads: 1, ...options });
  opened.push(backend);
  return { backend, lines };
}

const sizes: TransformerOptions = {
  ...{ vocabSize: 11, maxLength: 8, dModel: 6, numHeads: 2, numLayers: 2, dFeedForward: 10, causal: true },
  attention: { type: 'favor', numFeatures: 5 },
};

/** Loss and gradients of a tiny model. */
function step(backend: Backend, options: Partial<TransformerOptions> = {}, plant?: (model: Transformer) => void): void {
  const model = new Transformer(backend, { ...sizes, ...options }, 3);
  plant?.(model);
  scope(() => {
    const ids = tensor(backend, Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 4]);
    valueAndGradients(() => languageModelLoss(model, ids, ids).loss, [...model.parameters().values()]);
  });
}

function plantNaN(name: string) {
  return (model: Transformer) => {
    const parameter = model.parameters().get(name)!;
    parameter.backend.write(parameter.storage, [Number.NaN], 3);
  };
}

describe.each(names)('%s', (backend) => {
  test.each([
    ['blocks.1.feedForward.contract.weight', /^gemm in blocks\.1\.feedForward\.contract gave NaN at c\[0, /],
    ['blocks.0.attention.key.weight', /^gemm in blocks\.0\.attention\.key gave NaN at c\[0, /],
    ['norm.weight', /^layerNorm in norm gave NaN at out\[0, 3\]/],
  ])('debug: 2 stops in the layer of a NaN in %s', async (name, message) => {
    const { backend: watched } = await open({ backend, debug: 2 });
    const run = () => step(watched, {}, plantNaN(name));
    expect(run).toThrow(DataError);
    expect(run).toThrow(message);
    expect(run).toThrow(/Given: .*from .* to .*1 of \d+ not finite/);
  });

  test('debug: 2 names the layer of a gradient that is not finite', async () => {
    const { backend: watched } = await open({ backend, debug: 2 });
    const a = tensor(watched, [1, 2], [1, 2]);
    const out = watched.allocate(2);
    watched.scale(a.storage, out, 2);
    expect(() => watched.scale(a.storage, out, Number.POSITIVE_INFINITY)).toThrow(
      'scale gave Infinity at out[0] of [2]. Given: x [2] from 1 to 2.',
    );
  });

  test.each<[string, Partial<TransformerOptions>]>([
    ['FAVOR+', {}],
    ['FAVOR+, bidirectional', { causal: false }],
    ['exact', { attention: { type: 'exact' } }],
    ['LSH', { attention: { type: 'lsh', chunkLength: 2, numHashes: 2 } }],
    ['reversible', { reversible: true }],
  ])('debug: 2 lets a sound step, and tokens one by one, of %s through', async (_, options) => {
    const { backend: watched, lines } = await open({ backend, debug: 2 });
    step(watched, options);
    expect(lines.length).toBeGreaterThan(30);
    if (options.causal === false) return;
    const decoder = new Decoder(new Transformer(watched, { ...sizes, ...options }, 3));
    await decoder.feed([1, 2, 3]);
    await decoder.feed([4]);
  });

  test('rows outside the sequences, which nothing writes, do not stop debug: 2', async () => {
    const { backend: watched } = await open({ backend, debug: 2 });
    const model = new Transformer(watched, sizes, 3);
    const ids = tensor(watched, Int32Array.of(1, 2, 3, 0, 4, 5, 0, 0), [2, 4]);
    for (let i = 0; i < 3; i++) {
      const foul = watched.upload(new Float32Array(48).fill(Number.NaN));
      watched.release(foul);
    }
    const segments = [Int32Array.of(0, 0, 0, -1), Int32Array.of(0, 1, -1, -1)];
    scope(() => model.forward(ids, { segments }));
  });

  test('a trace has an event for every call, in order, with its layer and shapes', async () => {
    const events: TraceEvent[] = [];
    const { backend: watched, lines } = await open({ backend, debug: 1, trace: (event) => events.push(event) });
    step(watched);
    expect(events.map((event) => event.name)).toEqual(lines.map((line) => line.split(' ')[0]));
    for (const [i, { ts, dur }] of events.entries()) {
      expect(dur).toBeGreaterThan(0);
      expect(ts).toBeGreaterThanOrEqual(i === 0 ? 0 : events[i - 1].ts);
    }
    const gemm = events.find(({ args }) => args.layer === 'blocks.1.feedForward.expand')!;
    expect(gemm.args.shapes).toEqual({ a: [1, 8, 6], b: [1, 10, 6], c: [1, 8, 10], bias: [10] });
    expect(events.some(({ args }) => args.layer === 'blocks.0.attention.query backward')).toBe(true);
  });

  test('numbers are those of a backend without debug', async () => {
    const [plain, watched] = [await open({ backend }), await open({ backend, debug: 2 })];
    const logits = async ({ backend: each }: { backend: Backend }) => {
      const model = new Transformer(each, sizes, 3);
      return model.logits(model.forward(tensor(each, Int32Array.of(1, 2, 3), [1, 3]))).data();
    };
    expect(await logits(watched)).toEqual(await logits(plain));
    expect(plain.lines).toEqual([]);
  });
});

test('debug: 1 prints a line for every call: name, time, GFLOP/s, shapes, layer', async () => {
  const { backend, lines } = await open({ backend: 'reference', debug: 1 });
  const model = new Transformer(backend, { ...sizes, numLayers: 1 }, 3);
  lines.length = 0;
  scope(() => model.forward(tensor(backend, Int32Array.of(1, 2, 3), [1, 3])));
  for (const line of lines) {
    expect(line.slice(24, 34)).toMatch(/^ +\d+\.\d+ (µs|ms)$/);
    expect(line.slice(34, 50)).toMatch(/^ +(\d+\.\d GFLOP\/s)?$/);
  }
  expect(lines.map((line) => line.slice(0, 24) + line.slice(50))).toMatchInlineSnapshot(`
    [
      "embedding                 table 11×6, ids 3, out 3×6  in embedding",
      "embedding                 table 8×6, ids 3, out 3×6  in embedding",
      "add                       a 18, b 18, out 18  in embedding",
      "layerNorm                 x 3×6, gamma 6, beta 6, out 3×6, mean 3, inverseDeviation 3  in blocks.0.attentionNorm",
      "gemm                      a 1×3×6, b 1×6×6, c 1×3×6, bias 6  in blocks.0.attention.query",
      "gemm                      a 1×3×6, b 1×6×6, c 1×3×6, bias 6  in blocks.0.attention.key",
      "gemm                      a 1×3×6, b 1×6×6, c 1×3×6, bias 6  in blocks.0.attention.value",
      "favorCausal               q 1×2×3×3, k 1×2×3×3, v 1×2×3×3, sequences 1×6, projection 15, out 1×2×3×3, denominator 1×2×3  in blocks.0.attention",
      "gemm                      a 1×3×6, b 1×6×6, c 1×3×6, bias 6  in blocks.0.attention.output",
      "add                       a 18, b 18, out 18  in blocks.0",
      "layerNorm                 x 3×6, gamma 6, beta 6, out 3×6, mean 3, inverseDeviation 3  in blocks.0.feedForwardNorm",
      "gemm                      a 1×3×6, b 1×10×6, c 1×3×10, bias 10  in blocks.0.feedForward.expand",
      "activation                x 30, out 30  in blocks.0.feedForward",
      "gemm                      a 1×3×10, b 1×6×10, c 1×3×6, bias 6  in blocks.0.feedForward.contract",
      "add                       a 18, b 18, out 18  in blocks.0",
      "layerNorm                 x 3×6, gamma 6, beta 6, out 3×6, mean 3, inverseDeviation 3  in norm",
    ]
  `);
});

test('a trace file is complete JSON after every flush', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'performers-trace-'));
  try {
    const path = join(folder, 'trace.json');
    const { backend } = await open({ backend: 'reference' }, { trace: path });
    const read = () => JSON.parse(readFileSync(path, 'utf8')) as { traceEvents: TraceEvent[] };
    expect(read().traceEvents).toEqual([]);
    const x = backend.upload([1, 2, 3]);
    for (let i = 0; i < 600; i++) backend.scale(x, x, 1);
    expect(read().traceEvents.length).toBe(512);
    backend.close();
    expect(read().traceEvents.length).toBe(600);
    expect(read().traceEvents[599]).toMatchObject({ name: 'scale', ph: 'X', args: { shapes: { x: [3], out: [3] } } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what cannot be meant is refused', async () => {
  await expect(open({ debug: 3 as never })).rejects.toThrow(ConfigurationError);
  await expect(open({}, { debug: 'yes' })).rejects.toThrow('PERFORMERS_DEBUG is "yes": 1 prints every call');
  await expect(open({}, { trace: '/no/such/folder/trace.json' })).rejects.toThrow(/cannot be written/);
});
