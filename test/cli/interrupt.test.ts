/** Ctrl-C in a real process: where it ends, with which exit code, and what is left behind. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, environment, interrupted } from './performers.ts';
import { savedModel } from './serve-support.ts';

let directory: string;
let remove: () => void;
let folder: string;

beforeAll(async () => {
  [directory, remove] = await savedModel();
  folder = mkdtempSync(join(tmpdir(), 'performers-interrupt-'));
  writeFileSync(join(folder, 'text.txt'), 'abcde fghij. '.repeat(150_000));
});
afterAll(() => {
  remove();
  rmSync(folder, { recursive: true, force: true });
});

const endless = () => ['generate', '--model', directory, '--prompt', 'abc', '--tokens', '100000000', '--threads', '1'];

describe('Ctrl-C', () => {
  it('ends generate at the next token: whole text, a last line feed, exit code 130', async () => {
    const child = spawn(process.execPath, [cli, ...endless()], { env: environment });
    let text = '';
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout.on('data', (chunk) => {
      if (text === '') child.kill('SIGINT');
      text += chunk;
    });
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(status).toBe(130);
    expect(text.startsWith('abc')).toBe(true);
    expect(text.endsWith('\n')).toBe(true);
    expect(errors).toBe('');
  });

  it('ends convert without a model', async () => {
    const out = join(folder, 'converted');
    const args = ['--from', directory, '--out', out, '--data', 'text.txt', '--sequences', '64', '--threads', '1'];
    const { status, stderr } = await interrupted(folder, 'parameters, on', 'convert', ...args);
    expect(status, stderr).toBe(130);
    expect(stderr).toContain('Stopped; nothing is half-written.');
    expect(existsSync(out)).toBe(false);
  });

  it('ends evaluate, and its temporary files are gone', async () => {
    const temporary = mkdtempSync(join(folder, 'temporary-'));
    Object.assign(environment, { TMPDIR: temporary });
    const args = ['--model', directory, '--data', 'text.txt', '--threads', '1'];
    const { status, stdout, stderr } = await interrupted(folder, 'measuring on', 'evaluate', ...args);
    expect(status, stderr).toBe(130);
    expect(stdout).toBe('');
    expect(readdirSync(temporary).filter((name) => name.startsWith('performers-'))).toEqual([]);
  });
});
