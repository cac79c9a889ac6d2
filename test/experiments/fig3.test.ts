/** Figure 3: its curves from costs that are known, and the measurement itself in small. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Fig3Configuration, fig3Schema } from '../../experiments/fig3/configuration.ts';
import {
  type AttentionName,
  attentions,
  crossAt,
  fitSlopes,
  type Pass,
  passes,
  predict,
} from '../../experiments/fig3/curve.ts';
import { fig3 } from '../../experiments/fig3/experiment.ts';
import { formatBytes, formatLength, formatSeconds } from '../../experiments/fig3/format.ts';
import { type Fig3Numbers, run } from '../../experiments/fig3/run.ts';
import { returnValues, Subject } from '../../experiments/fig3/subject.ts';
import { mean } from '../../experiments/results/statistics.ts';
import {
  type Backend,
  createBackend,
  languageModelLoss,
  scope,
  Transformer,
  tensor,
} from '../../src/entries/performers.ts';
import { performers } from '../cli/performers.ts';

const tiny: Fig3Configuration = fig3Schema.parse({
  models: [{ name: 'tiny', numHeads: 2, numLayers: 2, dFeedForward: 7, dModel: 10, maxLength: 112 }],
  minLength: 7,
  vocabSize: 13,
  numFeatures: 5,
  numHashes: 2,
  chunkLength: 3,
  projectedLength: 4,
  causal: false,
  rounds: 3,
  secondsPerPoint: 0.05,
  timeLimit: 60,
  memoryLimit: 1,
  seed: 3,
});

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend({ backend: 'wasm', numThreads: 1 });
});
afterAll(() => backend.close());
afterEach(() => vi.restoreAllMocks());

const context = () => ({
  backend,
  directory: 'unused',
  signal: new AbortController().signal,
  progress: () => {},
});

describe('curves', () => {
  const power = (lengths: readonly number[], a: number, b: number) =>
    lengths.map((length) => ({ length, seconds: 3e-5 * length ** a, bytes: 70 * length ** b }));

  it('power laws are recovered from the upper half of the points', () => {
    const points = [...power([8, 16, 32], 0.1, 0.2), ...power([64, 128, 256], 1.7, 0.9)];
    const slopes = fitSlopes(points);
    expect(slopes.seconds).toBeCloseTo(1.7, 10);
    expect(slopes.bytes).toBeCloseTo(0.9, 10);
    // Least squares by hand, x = 0, 1, 2: (y₂ − y₀)/2.
    const noisy = [2, 9, 8].map((seconds, i) => ({ length: 2 ** i, seconds: 2 ** seconds, bytes: 1 }));
    expect(fitSlopes([...power([0.25, 0.5], 5, 5), ...noisy]).seconds).toBeCloseTo(3, 10);
    expect(fitSlopes(points.slice(0, 1))).toEqual({});
  });

  it('the next length is foretold by the last two', () => {
    const { seconds, bytes } = predict(power([4, 32, 64], 1.7, 0.9), 256);
    expect(seconds).toBeCloseTo(3e-5 * 256 ** 1.7, 10);
    expect(bytes).toBeCloseTo(70 * 256 ** 0.9, 7);
    expect(predict(power([32], 1.7, 0.9), 64)).toEqual({});
  });

  it('a cross stands where a limit would be passed, and says which', () => {
    const points = power([32, 64], 2, 1);
    const [seconds, bytes] = [3e-5 * 128 ** 2, 70 * 128];
    expect(crossAt(points, 128, { seconds: 1.01 * seconds, bytes: 1.01 * bytes })).toBeUndefined();
    expect(crossAt(points, 128, { seconds: 0.99 * seconds, bytes: 1.01 * bytes })?.reason).toBe('time');
    expect(crossAt(points, 128, { seconds: 1.01 * seconds, bytes: 0.99 * bytes })?.reason).toBe('memory');
    expect(crossAt(points.slice(1), 128, { seconds: 0, bytes: 0 })).toBeUndefined();
  });

  it('quantities read well', () => {
    expect([128, 2 ** 16, 100].map(formatLength)).toEqual(['2⁷', '2¹⁶', '100']);
    expect([0.000561, 0.0344, 0.345, 1.23, 60].map(formatSeconds)).toEqual([
      '0.56 ms',
      '34 ms',
      '345 ms',
      '1.2 s',
      '60 s',
    ]);
    expect([340 * 2 ** 10, 34.4 * 2 ** 20, 1.23 * 2 ** 30].map(formatBytes)).toEqual(['340 KiB', '34 MiB', '1.2 GiB']);
  });
});

describe('the measurement, from known costs', () => {
  const seconds = { exact: 1e-5, favor: 6e-4, lsh: 5e-4, linformer: 3e-4, identity: 2e-4 };
  const exponents = { exact: 2, favor: 1, lsh: 1, linformer: 1, identity: 1 };
  const costOf = (attention: AttentionName, pass: Pass, length: number) => {
    const factor = pass === 'forward' ? 1 : 3;
    return {
      seconds: factor * seconds[attention] * length ** exponents[attention],
      bytes: factor * 1000 * length,
      loss: 0,
    };
  };

  /** What was asked to run, in order. */
  function fakeSubjects(refuse = (_: string) => false): string[] {
    const asked: string[] = [];
    vi.spyOn(Subject, 'open').mockImplementation(async (_, __, attention) => {
      const run = async (pass: Pass, { length }: Int32Array) => {
        const name = `${attention}, ${pass}, ${length}`;
        if (refuse(name)) throw new Error('The wasm backend cannot allocate 5 bytes on top of the 7 MiB it holds.');
        const cost = costOf(attention, pass, length);
        // The first pass of a length is slow.
        const slow = asked.includes(name) ? 1 : 4;
        asked.push(name);
        return { ...cost, seconds: slow * cost.seconds };
      };
      return { run, trim: () => {}, close: () => {} } as unknown as Subject;
    });
    return asked;
  }

  const curveOf = ({ curves }: Fig3Numbers, attention: AttentionName, pass: Pass) => {
    const found = curves.find((curve) => curve.attention === attention && curve.pass === pass);
    if (!found) throw new Error(`no curve of ${attention}`);
    return found;
  };

  it('takes medians without the pass that warms up, by turns, and ends each curve where a limit is passed', async () => {
    const asked = fakeSubjects();
    const numbers = await run(
      { ...tiny, rounds: 1, secondsPerPoint: 9, timeLimit: 0.1, memoryLimit: 250_000 / 2 ** 30 },
      context(),
    );
    for (const attention of attentions) {
      for (const pass of passes) {
        const { points, slopes } = curveOf(numbers, attention, pass);
        for (const point of points) {
          const { seconds, bytes } = costOf(attention, pass, point.length);
          expect(point).toEqual({ length: point.length, seconds: expect.closeTo(seconds, 12), bytes });
        }
        expect(slopes.seconds).toBeCloseTo(exponents[attention], 9);
        expect(slopes.bytes).toBeCloseTo(1, 9);
      }
    }
    const lengths = (attention: AttentionName, pass: Pass) =>
      curveOf(numbers, attention, pass).points.map(({ length }) => length);
    expect(lengths('identity', 'forward')).toEqual([7, 14, 28, 56, 112]);
    expect(curveOf(numbers, 'identity', 'forward').cross).toBeUndefined();
    // 1e-5·112² = 0.125 s > 0.1 s; 3·6e-4·56 = 0.1008 s; 3000·112 B > 250,000 B.
    expect(lengths('exact', 'forward')).toEqual([7, 14, 28, 56]);
    expect(curveOf(numbers, 'exact', 'forward').cross).toMatchObject({ length: 112, reason: 'time' });
    expect(curveOf(numbers, 'exact', 'forward').cross?.seconds).toBeCloseTo(0.12544, 9);
    expect(curveOf(numbers, 'favor', 'forward + backward').cross).toMatchObject({ length: 56, reason: 'time' });
    expect(curveOf(numbers, 'identity', 'forward + backward').cross).toMatchObject({ length: 112, reason: 'memory' });
    // By turns while memory allows it, and never what a cross stands for.
    expect(asked.slice(0, 6)).toEqual(attentions.map((name) => `${name}, forward, 7`).concat('exact, forward, 7'));
    expect(asked.filter((name) => name === 'favor, forward, 56')).toHaveLength(2);
    expect(asked).not.toContain('exact, forward, 112');
    const [forward] = numbers.closeness;
    expect(forward.overX).toEqual({ length: 112, seconds: expect.closeTo(3, 9), bytes: 1 });
    expect(forward.exactOver?.length).toBe(56);
    expect(forward.exactOver?.seconds).toBeCloseTo(56 / 60, 9);
    expect(forward.fasterFrom).toBeUndefined();
  });

  it('does not repeat what is slow, and says from where on the Performer is faster', async () => {
    const asked = fakeSubjects();
    const numbers = await run({ ...tiny, secondsPerPoint: 1e-9 }, context());
    expect(new Set(asked).size).toBe(asked.length);
    expect(curveOf(numbers, 'exact', 'forward').points[0].seconds).toBeCloseTo(4e-5 * 49, 12);
    expect(numbers.closeness.map(({ fasterFrom }) => fasterFrom)).toEqual([112, 112]);
  });

  it('puts a cross where memory runs out, and continues with the others', async () => {
    fakeSubjects((name) => name === 'favor, forward + backward, 28');
    const numbers = await run(tiny, context());
    const { points, cross } = curveOf(numbers, 'favor', 'forward + backward');
    expect(points.map(({ length }) => length)).toEqual([7, 14]);
    expect(cross).toMatchObject({ length: 28, reason: 'memory' });
    expect(cross?.bytes).toBeCloseTo(3000 * 28, 6);
    expect(curveOf(numbers, 'favor', 'forward').points).toHaveLength(5);
    const svg = fig3.draw(numbers, tiny);
    expect(svg.match(/aria-label="dot"/g)?.length).toBeGreaterThan(8);
    expect(fig3.tabulate(numbers, tiny)).toMatch(/forward \+ backward: Performer \|( [\d.]+ ms \|){2}( × \|){3}/);
  });

  it('lets other errors through', async () => {
    fakeSubjects();
    vi.spyOn(Subject, 'open').mockRejectedValue(new Error('something else'));
    await expect(run(tiny, context())).rejects.toThrow('something else');
  });
});

describe('the measurement itself', () => {
  it('runs the library’s model: its loss, and the same memory for the same pass', async () => {
    const ids = Int32Array.from({ length: 29 }, (_, i) => (i * 5) % 13);
    const targets = Int32Array.from({ length: 29 }, (_, i) => (i * 7) % 13);
    const { name, maxLength, ...sizes } = tiny.models[0];
    for (const attention of attentions) {
      const subject = await Subject.open(backend, tiny.models[0], attention, tiny, 29);
      const forward = await subject.run('forward', ids, targets);
      const both = await subject.run('forward + backward', ids, targets);
      expect(both.loss).toBe(forward.loss);
      const own = {
        favor: { numFeatures: 5 },
        lsh: { numHashes: 2, chunkLength: 3 },
        linformer: { projectedLength: 4 },
      };
      const type = attention === 'identity' ? 'exact' : attention;
      const configured = { type, ...(type in own ? own[type as keyof typeof own] : {}) };
      const model = { ...sizes, maxLength: 29, vocabSize: 13, causal: false, positions: 'none' } as const;
      const options = { ...model, attention: configured };
      const transformer = new Transformer(backend, options, tiny.seed);
      if (attention === 'identity') returnValues(transformer);
      const losses = scope(() => {
        const [x, y] = [ids, targets].map((tokens) => tensor(backend, tokens, [1, 29]));
        return languageModelLoss(transformer, x, y).loss;
      });
      expect(forward.loss).toBeCloseTo(mean(await losses.data()), 5);
      expect(forward.loss).toBeCloseTo(Math.log(13), 1);
      // Gradients of all parameters at least, and what the forward pass made.
      const parameters = [...transformer.parameters().values()].reduce((total, { size }) => total + 4 * size, 0);
      expect(both.bytes).toBeGreaterThan(parameters + 4 * 29 * 2 * 7);
      subject.trim();
      expect((await subject.run('forward', ids, targets)).bytes).toBe(forward.bytes);
      expect(forward.bytes).toBeLessThan(both.bytes);
      for (const one of [losses, transformer]) one.dispose();
      subject.close();
    }
  });

  it('needs a backend that tells its memory', async () => {
    const reference = await createBackend({ backend: 'reference' });
    await expect(run(tiny, { ...context(), backend: reference })).rejects.toThrow('use --backend native or wasm');
  });
});

describe('performers reproduce fig3', () => {
  const directory = mkdtempSync(join(tmpdir(), 'performers-fig3-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('measures, prints slopes and how close the Performer comes to X, and draws', () => {
    const config = join(directory, 'config.json');
    writeFileSync(config, JSON.stringify(tiny));
    const args = ['reproduce', 'fig3', '--config', config, '--out', directory, '--threads', '1', '--json'];
    const { status, stdout, stderr } = performers(directory, ...args);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('| tiny, forward + backward: X |');
    expect(stderr).toContain('Performer’s time over X’s');
    const { curves, closeness } = JSON.parse(stdout).numbers as Fig3Numbers;
    expect(curves.map(({ points }) => points.length)).toEqual(new Array(2 * attentions.length).fill(5));
    for (const { points } of curves) {
      for (const { seconds, bytes } of points) expect(Math.min(seconds, bytes)).toBeGreaterThan(0);
      expect(points[4].bytes).toBeGreaterThan(points[0].bytes);
    }
    for (const { overX } of closeness) {
      expect(overX?.length).toBe(112);
      expect(overX?.bytes).toBeGreaterThan(1);
    }
    expect(readFileSync(join(directory, 'fig3/figure.svg'), 'utf8')).toContain('Figure 3');
  });
});
