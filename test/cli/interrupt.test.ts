/** Ctrl-C in a real process: where it ends, with which exit code, and what is left behind. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackend, saveModel, Transformer } from '../../src/entries/performers.ts';
import { cli, environment, interrupted, performers } from './performers.ts';
import { savedModel } from './serve/support.ts';

let directory: string;
let remove: () => void;
let folder: string;

beforeAll(async () => {
  [directory, remove] = await savedModel();
  folder = mkdtempSync(join(tmpdir(), 'performers-interrupt-'));
  writeFileSync(join(folder, 'text.txt'), 'abcde fghij. '.repeat(150_000));
  writeFileSync(join(folder, 'small.txt'), 'abcde fghij. '.repeat(200));
  const sizes = { dModel: 12, numLayers: 1, numHeads: 3, dFeedForward: 48 };
  writeFileSync(join(folder, 'tiny.json'), JSON.stringify({ model: sizes }));
  writeFileSync(join(folder, 'press.mjs'), pressOnOpening);
  const backend = await createBackend({ backend: 'wasm', numThreads: 1 });
  const gpt2 = new Transformer(backend, { ...sizes, vocabSize: 11, maxLength: 16, positions: 'learned' });
  await saveModel(join(folder, 'gpt2'), gpt2);
  backend.close();
});
afterAll(() => {
  remove();
  rmSync(folder, { recursive: true, force: true });
});

const stopped = 'Stopped; nothing is half-written.\n';

/** Loaded into a command: presses Ctrl-C as often as PRESSES says when a file is opened whose name ends with PRESS_AT. */
const pressOnOpening = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
for (const [library, name] of [[fs.promises, 'open'], [fs.promises, 'readFile'], [fs, 'writeFileSync']]) {
  const original = library[name];
  library[name] = (path, ...rest) => {
    if (String(path).endsWith(process.env.PRESS_AT)) {
      for (let i = 0; i < Number(process.env.PRESSES); i++) process.kill(process.pid, 'SIGINT');
    }
    return original(path, ...rest);
  };
}
syncBuiltinESMExports();
`;

/** Runs a command that has Ctrl-C pressed as it opens a file whose name ends like this. */
function pressedAt(ending: string, args: readonly string[], presses = 1) {
  return spawnSync(process.execPath, ['--import', join(folder, 'press.mjs'), cli, ...args], {
    ...{ encoding: 'utf8', cwd: folder, timeout: 200_000 },
    env: { ...environment, PRESS_AT: ending, PRESSES: String(presses) },
  });
}

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

  it('ends generate while the model is loaded, with one line', () => {
    const { status, stdout, stderr } = pressedAt('model.safetensors', endless());
    expect(status, stderr).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toBe(stopped);
  });

  it('ends train and finetune while text is tokenised: one line, no file of tokens, and the directory can be used', () => {
    const flags = ['--data', 'text.txt', '--batch-size', '1', '--length', '8', '--threads', '1', '--steps', '1'];
    for (const [command, ...more] of [
      ['train', '--tokenizer', 'bytes', '--config', 'tiny.json'],
      ['finetune', '--from', directory, '--objective', 'next-token'],
    ]) {
      const out = `run-${command}`;
      const { status, stderr } = pressedAt('.train.tmp', [command, ...more, ...flags, '--out', out]);
      expect(status, stderr).toBe(130);
      expect(stderr).toBe(stopped);
      expect(existsSync(join(folder, out))).toBe(false);
    }
    const { status, stderr } = performers(
      folder,
      ...['train', '--tokenizer', 'bytes', '--config', 'tiny.json', '--data', 'small.txt', '--batch-size', '1'],
      ...['--length', '8', '--steps', '1', '--threads', '1', '--out', 'run-train'],
    );
    expect(status, stderr).toBe(0);
  });

  it('ends train while its tokenizer is trained', () => {
    const flags = ['--data', 'text.txt', '--tokenizer', 'bpe', '--length', '8', '--config', 'tiny.json'];
    const { status, stderr } = pressedAt('run.lock', ['train', ...flags, '--out', 'run-bpe']);
    expect(status, stderr).toBe(130);
    expect(stderr).toBe(stopped);
    expect(existsSync(join(folder, 'run-bpe'))).toBe(false);
  });

  it('ends demo while it opens its first run', () => {
    const { status, stdout, stderr } = pressedAt('run.lock', ['demo', '--out', 'demo', '--threads', '1']);
    expect(status, stderr).toBe(130);
    expect(stdout).toBe('');
    expect(stderr.endsWith(stopped), stderr).toBe(true);
    expect(existsSync(join(folder, 'demo', 'performer'))).toBe(false);
  });

  it('ends a command that still reads its configuration, and one that only says what it would do', () => {
    const train = ['train', '--data', 'small.txt', '--config', 'tiny.json', '--out', 'run-planned'];
    for (const args of [train, [...train, '--dry-run']]) {
      const { status, stdout, stderr } = pressedAt('tiny.json', args);
      expect(status, stderr).toBe(130);
      expect(stdout).toBe('');
      expect(stderr).toBe(stopped);
    }
    expect(readdirSync(folder)).not.toContain('run-planned');
  });

  it('ends serve while the model is loaded', () => {
    const { status, stdout, stderr } = pressedAt('model.safetensors', ['serve', '--model', directory, '--port', '0']);
    expect(status, stderr).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toBe(stopped);
  });

  it('ends export with nothing written, in both layouts', () => {
    for (const to of ['onnx', 'huggingface']) {
      const args = [
        '--from',
        join(folder, 'gpt2'),
        '--to',
        to,
        '--out',
        join(folder, 'exported', to),
        '--threads',
        '1',
      ];
      const { status, stdout, stderr } = pressedAt('model.safetensors', ['export', ...args]);
      expect(status, stderr).toBe(130);
      expect(stdout).toBe('');
      expect(stderr).toContain(stopped);
      expect(existsSync(join(folder, 'exported'))).toBe(false);
    }
  });

  it('pressed twice ends a command at once', () => {
    const { status, stderr } = pressedAt('model.safetensors', endless(), 2);
    expect(status, stderr).toBe(130);
    expect(stderr).not.toContain(stopped);
  });
});
