import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttentionProblem, Peer } from '../../bench/peers/peer.ts';
import { type PythonEngine, type PythonPeers, startPython } from '../../bench/peers/python.ts';

/** The protocol of worker.py in JavaScript, with arithmetic that depends on every input. */
const FAKE_WORKER = `
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const [engine, threads] = process.argv.slice(3);
const answer = (value) => console.log(JSON.stringify(value));
if (engine === 'broken') {
  answer({ error: "No module named 'torch'" });
  process.exit(0);
}
if (engine === 'garbled') console.log('Welcome!');
answer({ name: engine, version: '1.2', threads: Number(threads) });
const results = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, operation, problem, inputs, arrays, id, path } = JSON.parse(line);
  if (what === 'start' && operation === 'exact') answer({ error: 'no exact attention here' });
  else if (what === 'start') {
    const numbers = new Float32Array(new Uint8Array(readFileSync(inputs)).buffer);
    let offset = 0;
    const sums = arrays.map(([, count]) => numbers.slice(offset, (offset += count)).reduce((sum, x) => sum + x, 0));
    const names = arrays.map(([name]) => name.charCodeAt(0));
    results.push([...sums, ...names, problem.length ?? problem.k], [problem.m ?? problem.numFeatures]);
    answer({ runs: [{ id: results.length - 2, form: 'sums' }, { id: results.length - 1, form: 'sizes' }] });
  } else if (what === 'run' && operation === undefined && results[id].length === 1) process.exit(3);
  else if (what === 'run') {
    results[id].push(results[id].length);
    answer({});
  } else if (what === 'read') {
    writeFileSync(path, Buffer.from(Float32Array.from(results[id]).buffer));
    answer({});
  } else answer({});
}
`;

/** An engine for the real worker.py that needs nothing but Python. */
const FAKE_ENGINE = `
from array import array
NAME = "Plain"
def version():
    print("chatter that must not reach the protocol")
    return "3"
def set_threads(threads):
    return threads
def gemm(problem):
    m, n, k = problem.m, problem.n, problem.k
    out = array("f", [0.0] * (m * n))
    def run():
        for i in range(m):
            for j in range(n):
                out[i * n + j] = sum(problem.a[i * k + l] * problem.b[l * n + j] for l in range(k))
    return [("loops", run, out.tobytes)]
def favor(problem):
    raise RuntimeError("no features\\nand a second line")
def exact(problem):
    return [("", lambda: 1 / 0, bytes)]
`;

const folder = mkdtempSync(join(tmpdir(), 'performers-python-test-'));
const fakeWorker = join(folder, 'worker.mjs');
writeFileSync(fakeWorker, FAKE_WORKER);
const fakeCommand = [process.execPath, fakeWorker];
const engineOf = (name: string): PythonEngine => ({ name, file: name, packages: `${name.toLowerCase()} extra` });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const attention: AttentionProblem = {
  heads: 1,
  length: 2,
  dHead: 2,
  numFeatures: 3,
  causal: true,
  q: Float32Array.of(1, 2, 3, 4),
  k: Float32Array.of(10, 20, 30, 40),
  v: Float32Array.of(100, 200, 300, 400),
  projection: Float32Array.of(0.5, 0.25, 0, 0, 0, 1),
};
const product = { m: 2, n: 1, k: 3, a: Float32Array.of(1, 2, 3, 4, 5, 6), b: Float32Array.of(7, 8, 9) };

describe('an engine in a process of its own', () => {
  let python: PythonPeers;
  let peer: Peer;
  beforeAll(async () => {
    python = await startPython(2, fakeCommand, [engineOf('Sums'), engineOf('broken')]);
    peer = python.peers[0];
  });
  afterAll(() => python.close());

  it('is named with its version and runs on the threads that it says', () => {
    expect(python.peers.map(({ name }) => name)).toEqual(['Sums 1.2']);
    expect(peer.threads(8)).toBe(2);
    expect(peer.runsOn).toBe('native');
  });

  it('is given the arrays in their order and the sizes, and its results come back', async () => {
    const [sums] = (await peer.favor?.(attention, 2)) ?? [];
    expect(sums.form).toBe('sums');
    expect(Array.from(await sums.read())).toEqual([10, 100, 1000, 1.75, 113, 107, 118, 112, 2]);
    await sums.run();
    await sums.run();
    expect(Array.from(await sums.read()).slice(9)).toEqual([9, 10]);
    const [, sizes] = (await peer.gemm?.(product, 2)) ?? [];
    expect(Array.from(await sizes.read())).toEqual([2]);
  });

  it('answers requests made at the same time each with its own answer', async () => {
    const started = await Promise.all([peer.favor?.(attention, 2), peer.gemm?.(product, 2)]);
    const [favor, gemm] = started.map((runs) => runs?.[0]);
    const [first, second] = await Promise.all([favor?.read(), gemm?.read()]);
    expect(Array.from(first ?? []).slice(0, 3)).toEqual([10, 100, 1000]);
    expect(Array.from(second ?? []).slice(0, 2)).toEqual([21, 24]);
  });

  it('fails with its own words, and continues', async () => {
    await expect(peer.exact?.(attention, 2)).rejects.toThrow('no exact attention here');
    expect(await peer.gemm?.(product, 2)).toHaveLength(2);
    await expect(peer.gemm?.({ ...product, m: 1 }, 2)).rejects.toThrow('takes longer than a product with one row');
  });

  it('that dies is reported, not waited for', async () => {
    const [, dies] = (await peer.favor?.(attention, 2)) ?? [];
    await expect(dies.run()).rejects.toThrow('the Python process ended (exit code 3)');
    await expect(peer.gemm?.(product, 2)).rejects.toThrow('the Python process ended');
  });

  it('that lacks its packages is a line that says how to get them', () => {
    expect(python.missing).toEqual([
      "broken: not measured: No module named 'torch'. Set PERFORMERS_PYTHON to a Python after " +
        `\`${fakeCommand.join(' ')} -m pip install broken extra\`.`,
    ]);
  });
});

describe('an interpreter', () => {
  it('that does not exist is one line for each engine', async () => {
    const { peers, missing } = await startPython(1, ['no-such-python']);
    expect(peers).toEqual([]);
    expect(missing).toHaveLength(2);
    expect(missing[0]).toMatch(
      /^PyTorch: not measured: no-such-python was not found\..*pip install torch performer-pytorch/,
    );
    expect(missing[1]).toMatch(/^JAX: not measured: no-such-python was not found\..*pip install jax/);
  });

  it('that prints something else is named by what it printed', async () => {
    const { missing } = await startPython(1, fakeCommand, [engineOf('garbled')]);
    expect(missing[0]).toMatch(/^garbled: not measured: its process answered no JSON: Welcome!\./);
  });
});

const hasPython = spawnSync('python3', ['-S', '-c', 'pass']).status === 0;

describe.skipIf(!hasPython)('worker.py in python3', () => {
  /** Without site-packages: the same on every machine. */
  const command = ['python3', '-S'];

  it('runs an engine: products, failures, chatter', async () => {
    const file = join(folder, 'plain_engine.py');
    writeFileSync(file, FAKE_ENGINE);
    const python = await startPython(2, command, [{ name: 'Plain', file, packages: '' }]);
    try {
      expect(python.missing).toEqual([]);
      const [peer] = python.peers;
      expect(peer.name).toBe('Plain 3');
      const [loops] = (await peer.gemm?.(product, 2)) ?? [];
      await loops.run();
      expect(Array.from(await loops.read())).toEqual([50, 122]);
      await expect(peer.favor?.(attention, 2)).rejects.toThrow(/^no features$/);
      const [fails] = (await peer.exact?.(attention, 2)) ?? [];
      await expect(fails.run()).rejects.toThrow('division by zero');
      await loops.release();
      await expect(loops.run()).rejects.toThrow();
    } finally {
      python.close();
    }
  });

  it('says which package PyTorch and JAX lack', async () => {
    const { peers, missing } = await startPython(1, command);
    expect(peers).toEqual([]);
    expect(missing[0]).toMatch(/^PyTorch: not measured: No module named '\w+'\./);
    expect(missing[1]).toMatch(/^JAX: not measured: No module named '\w+'\./);
  });
});
