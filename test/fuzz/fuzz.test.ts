/** The fuzzing itself: what it finds, what it writes; and all inputs that ever failed, read again. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFiles, writeFiles } from './files.ts';
import { isFinding, type Outcome, Reader } from './reader.ts';

const script = fileURLToPath(new URL('../../scripts/fuzz.mjs', import.meta.url));
const { bundleFuzz, program }: { bundleFuzz: () => Promise<void>; program: string } = await import(script);
const child = join(program, 'child.mjs');
const corpus = join(import.meta.dirname, 'corpus');

const folder = mkdtempSync(join(tmpdir(), 'performers-fuzz-test-'));
beforeAll(bundleFuzz);
afterAll(() => rmSync(folder, { recursive: true }));

describe('what became of an input', () => {
  const reader = () => new Reader({ child, target: 'faults', seed: 0, hangSeconds: 0.5 });
  const shared = reader();
  afterAll(() => shared.close());

  const cases: [fault: string, what: string, outcome: Outcome][] = [
    ['a', 'an input that is read', 'accepted'],
    ['r', 'an error of the package', 'refused'],
    ['t', 'a TypeError', 'raw error'],
    ['s', 'a message without an end', 'no sentence'],
    ['u', 'a rejection that nobody waits for', 'stray error'],
    ['h', 'a loop without end', 'hang'],
    ['w', 'a promise that is never settled', 'hang'],
    ['m', '300 MiB', 'memory'],
    ['v', '1 GiB that nothing is written to', 'memory'],
    ['k', 'a signal', 'crash'],
    ['a', 'an input after all of these', 'accepted'],
  ];
  it.each(cases)('%s: %s is %s', async (fault, _, outcome) => {
    const files = { fault: new TextEncoder().encode(fault) };
    writeFiles(join(folder, 'input'), files);
    const answer = await shared.read(join(folder, 'input'), () => files);
    expect(answer.outcome, answer.detail).toBe(outcome);
  });
});

describe('npm run fuzz', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(program, 'main.mjs'), ...args], { encoding: 'utf8', timeout: 200_000 });

  it('counts, and ends with 0 where everything is accepted or refused', () => {
    const { status, stdout } = run('--target', 'safetensors', '--inputs', '200');
    expect(stdout).toMatch(/safetensors {12}200( +\d+){2} +0\n/);
    expect(status).toBe(0);
  });

  it('gives the same inputs for a seed, others for another', () => {
    const counts = (seed: string) =>
      /\nall .*/.exec(run('--target', 'safetensors', '--inputs', '300', '--seed', seed).stdout)![0];
    expect(counts('7')).toBe(counts('7'));
    expect(counts('7')).not.toBe(counts('8'));
  });

  it('ends with 1 after a finding, whose input it writes and replays', () => {
    rmSync('build/fuzz/faults', { recursive: true, force: true });
    const { status, stdout } = run('--target', 'faults', '--inputs', '3', '--seed', '4');
    const path = /--replay (\S+)/.exec(stdout)![1];
    expect(status).toBe(1);
    expect(existsSync(join(path, 'fault'))).toBe(true);
    expect(run('--replay', path)).toMatchObject({ status: 1, stdout: expect.stringContaining(path) });
  });

  it('says which targets there are', () => {
    expect(run('--target', 'safetensor')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('choose among safetensors, tokenizer,'),
    });
  });

  it('prints the counts so far on Ctrl-C', async () => {
    const started = spawn(process.execPath, [join(program, 'main.mjs'), '--target', 'jsonl']);
    let output = '';
    started.stdout.on('data', (data) => {
      output += data;
      if (output.includes('now jsonl') && !started.killed) started.kill('SIGINT');
    });
    const status = await new Promise((resolve) => started.on('close', resolve));
    expect(output).toMatch(/\nall +[\d,]+ +[\d,]+ +[\d,]+ +0\n$/);
    expect(status).toBe(0);
  });
});

describe('inputs that failed once', () => {
  for (const target of readdirSync(corpus)) {
    const names = readdirSync(join(corpus, target));
    it(`${target}: ${names.join(', ')}`, async () => {
      const reader = new Reader({ child, target, seed: 0 });
      try {
        for (const name of names) {
          const path = join(corpus, target, name);
          const answer = await reader.read(path, () => readFiles(path));
          expect(isFinding(answer), `${name}: ${answer.outcome}: ${answer.detail}`).toBe(false);
        }
      } finally {
        reader.close();
      }
    });
  }
});
