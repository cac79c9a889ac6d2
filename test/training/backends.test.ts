import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/backend/native/node-host.ts';
import { createBackendOn } from '../../src/backend/select.ts';
import type { BackendName } from '../../src/backend/types.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { bundleChild, startChild } from './processes.ts';
import { countingData, lossesOf, resumedFrom, tinyConfiguration, tinyModel, tinyRun } from './support.ts';

const STEPS = 20;

/** Losses of 20 updates of a model large enough that every kernel has work for several threads. */
async function losses(
  backend: BackendName,
  numThreads: number,
  options: Partial<TransformerOptions>,
): Promise<number[]> {
  const device = await createBackendOn(nodeHost, { backend, numThreads });
  const sizes = { dModel: 48, numHeads: 3, dFeedForward: 97, maxLength: 131 };
  const model = tinyModel(device, 3, { ...sizes, ...options });
  const configuration = tinyConfiguration({ steps: STEPS, warmupSteps: 5 });
  const trainer = new Trainer({ model, data: countingData(3, 131), configuration });
  const result: number[] = [];
  for (let i = 0; i < STEPS; i++) result.push((await trainer.step()).loss);
  trainer.dispose();
  model.dispose();
  device.close();
  return result;
}

describe.each<[string, Partial<TransformerOptions>]>([
  ['favor', { attention: { type: 'favor', numFeatures: 37, redrawInterval: 7 } }],
  ['exact', { attention: { type: 'exact' }, positions: 'rotary' }],
  ['untied relu', { tiedEmbeddings: false, activation: 'relu', attention: { type: 'favor', numFeatures: 16 } }],
])('training with %s attention', (_, options) => {
  it('falls alike on native and WebAssembly', async () => {
    const native = await losses('native', 2, options);
    const wasm = await losses('wasm', 2, options);
    expect(native.at(-1)).toBeLessThan(native[0]! - 0.2);
    for (let i = 0; i < STEPS; i++) expect(Math.abs(native[i]! - wasm[i]!), `step ${i + 1}`).toBeLessThan(1e-3);
  });

  it.each<BackendName>(['native', 'wasm'])(
    'is identical to the last bit when repeated on %s, with 1 or 2 threads',
    async (name) => {
      const one = await losses(name, 1, options);
      expect(await losses(name, 1, options)).toEqual(one);
      expect(await losses(name, 2, options)).toEqual(one);
      expect(await losses(name, 2, options)).toEqual(one);
    },
  );
});

describe('training the tiny model', () => {
  it('follows the float64 reference', async () => {
    const small = {
      dModel: 16,
      numHeads: 2,
      attention: { type: 'favor', numFeatures: 11, redrawInterval: 5 },
    } as const;
    const results: number[][] = [];
    for (const name of ['native', 'wasm', 'reference'] as const) {
      const device = await createBackendOn(nodeHost, { backend: name, numThreads: 1 });
      const model = tinyModel(device, 3, small);
      const trainer = new Trainer({ model, data: countingData(), configuration: tinyConfiguration({ steps: STEPS }) });
      const result: number[] = [];
      for (let i = 0; i < STEPS; i++) result.push((await trainer.step()).loss);
      results.push(result);
      trainer.dispose();
      model.dispose();
      device.close();
    }
    for (const result of results.slice(0, 2)) {
      for (const [i, loss] of result.entries()) {
        expect(Math.abs(loss - results[2]![i]!), `step ${i + 1}`).toBeLessThan(1e-4);
      }
    }
  });

  it.each<BackendName>(['native', 'wasm'])('resumes to the last bit on %s', async (name) => {
    const parent = mkdtempSync(join(tmpdir(), 'performers-resume-'));
    const device = await createBackendOn(nodeHost, { backend: name, numThreads: 2 });
    const whole = await lossesOf(tinyRun(device, join(parent, 'whole')), 12);
    const out = join(parent, 'broken');
    await lossesOf(tinyRun(device, out), 8);
    const run = await resumedFrom(device, out, tinyRun(device, out));
    expect(run.resume.checkpoint.training.step).toBe(6);
    const rest = await lossesOf(run, 12);
    expect(rest).toEqual(whole.slice(6));
    device.close();
    rmSync(parent, { recursive: true, force: true });
  });
});

describe('memory', () => {
  it.each<BackendName>(['native', 'wasm'])('stays flat over 1,000 steps on %s', async (backend) => {
    await bundleChild();
    const out = mkdtempSync(join(tmpdir(), 'performers-memory-'));
    const configuration = { steps: 1000, checkpointEvery: 0, evaluateEvery: 100 };
    const child = startChild({ out, backend, numThreads: 2, configuration, reportMemoryEvery: 50 }, ['--expose-gc']);
    const { code, errors, output } = await child.ended;
    rmSync(out, { recursive: true, force: true });
    expect(errors).toBe('');
    expect(code).toBe(0);
    const reports = output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { step: number; rss: number; backend: number });
    expect(reports.length).toBe(20);
    const settled = reports.filter(({ step }) => step >= 300);
    for (const key of ['rss', 'backend'] as const) {
      const middle = settled.map((report) => report[key]).sort((a, b) => a - b)[Math.floor(settled.length / 2)]!;
      for (const { step, [key]: bytes } of settled) {
        expect(Math.abs(bytes / middle - 1), `${key} at step ${step}: ${bytes}, median ${middle}`).toBeLessThan(0.05);
      }
    }
  });
});
