/** `performers serve` as a process: its first line, its signals, its mistakes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cli, environment, performers } from '../performers.ts';
import { savedModel } from './support.ts';

const root = join(import.meta.dirname, '../../..');
let directory: string;
let remove: () => void;
const children: ChildProcess[] = [];

beforeAll(async () => {
  [directory, remove] = await savedModel();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => remove());

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly firstLine: string;
  /** What was written to the standard error so far. */
  errors(): string;
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
}

async function serve(args: string[] = [], env: Record<string, string> = {}): Promise<Running> {
  const all = [cli, 'serve', '--model', directory, '--port', '0', '--threads', '1', ...args];
  const child = spawn(process.execPath, all, { env: { ...environment, ...env } });
  children.push(child);
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal }));
  });
  const firstLine = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes('\n')) resolve(output);
    });
    void ended.then(() => reject(new Error(errors)));
  });
  const url = firstLine.match(/http:\S+/)?.[0] ?? '';
  return { child, url, firstLine, ended, errors: () => errors };
}

const long = { model: 'model', prompt: 'abc', temperature: 0, stream: true as const };

/** Reads a stream to its end; `started` resolves with its first piece. */
function read(url: string, maxTokens: number, signal?: AbortSignal): { started: Promise<void>; text: Promise<string> } {
  let start = () => {};
  const started = new Promise<void>((resolve) => {
    start = resolve;
  });
  const run = async () => {
    const client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 });
    let text = '';
    for await (const { choices } of await client.completions.create({ ...long, max_tokens: maxTokens }, { signal })) {
      text += choices[0].text;
      start();
    }
    return text;
  };
  return { started, text: run() };
}

const failureOf = (text: Promise<string>) =>
  text.then(
    () => 'none',
    (error: Error) => error.message,
  );

describe('performers serve', () => {
  it('says where it listens, and finishes requests at work when it is told to end', async () => {
    const { child, url, firstLine, ended } = await serve(['--timeout', '100000', '--grace', '100000']);
    expect(firstLine).toMatch(/^performers serves model at http:\/\/127\.0\.0\.1:\d+\/v1 on native .*\n$/);
    const { started, text } = read(url, 500);
    await started;
    child.kill('SIGTERM');
    expect(await text).toHaveLength(500);
    expect(await ended).toEqual({ status: 0, signal: null });
  });

  it('turns new requests away while it ends, and waits for what is at work', async () => {
    const limits = ['--max-tokens', '10000000', '--timeout', '100000', '--grace', '100000'];
    const { child, url, ended, errors } = await serve(limits);
    // Longer than this test may take, until the client goes away.
    const gone = new AbortController();
    const { started, text } = read(url, 9_000_000, gone.signal);
    await started;
    child.kill('SIGTERM');
    while (!errors()) await new Promise((resolve) => setTimeout(resolve, 5));
    const turnedAway = await fetch(`${url}/completions`, { method: 'POST', body: '{}' });
    expect([turnedAway.status, (await turnedAway.json()).error.code]).toEqual([503, 'shutting_down']);
    const health = await fetch(url.replace('/v1', '/health'));
    expect([health.status, (await health.json()).status]).toEqual([503, 'stopping']);
    expect(child.exitCode).toBe(null);
    gone.abort();
    await text;
    expect(await ended).toEqual({ status: 0, signal: null });
    expect(errors()).toBe(
      'performers: no new requests; those at work are finished. Press Ctrl-C again to end at once.\n',
    );
  });

  it('cuts requests short that take longer than the grace', async () => {
    const { child, url, ended } = await serve(['--max-tokens', '10000000', '--grace', '0.2']);
    const { started, text } = read(url, 9_000_000);
    await started;
    const failure = failureOf(text);
    child.kill('SIGINT');
    expect(await failure).toContain('shutting down');
    expect(await ended).toEqual({ status: 1, signal: null });
  });

  it('ends at once on a second signal', async () => {
    const { child, url, ended, errors } = await serve(['--max-tokens', '10000000']);
    const { started, text } = read(url, 9_000_000);
    await started;
    const failure = failureOf(text);
    child.kill('SIGTERM');
    while (!errors()) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGTERM');
    expect(await ended).toEqual({ status: 143, signal: null });
    expect(await failure).not.toBe('none');
  });

  it('takes its key from the environment, and warns of an open port', async () => {
    const { url } = await serve(['--name', 'org/whale'], { PERFORMERS_API_KEY: 'sesame' });
    expect((await fetch(`${url}/models`)).status).toBe(401);
    const client = new OpenAI({ baseURL: url, apiKey: 'sesame' });
    expect((await client.models.retrieve('org/whale')).id).toBe('org/whale');
    const open = await serve(['--host', '0.0.0.0']);
    while (!open.errors()) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(open.errors()).toContain('anyone who reaches this port may use it');
  });

  it('takes times to the fraction of a millisecond, and those that a timer just holds', async () => {
    const times = ['--receive-timeout', '2.0005', '--timeout', '2147483', '--session-idle', '2147483'];
    const { child, url, ended } = await serve([...times, '--grace', '2147483']);
    const { text } = read(url, 20);
    expect(await text).toHaveLength(20);
    child.kill('SIGTERM');
    expect(await ended).toEqual({ status: 0, signal: null });
  });

  it('answers to names and pages that are allowed', async () => {
    const { url } = await serve([
      '--cors',
      'https://a.example',
      'https://b.example',
      '--allow-host',
      'box',
      'sea.example',
    ]);
    const headers = { origin: 'https://b.example' };
    expect((await fetch(`${url}/models`, { headers })).headers.get('access-control-allow-origin')).toBe(headers.origin);
    const statusFor = (host: string) =>
      new Promise((resolve) => get(`${url}/models`, { headers: { host } }, ({ statusCode }) => resolve(statusCode)));
    expect([await statusFor('sea.example'), await statusFor('other')]).toEqual([200, 403]);
  });

  it('answers the example of docs/serving.md', async () => {
    const { url } = await serve(['--name', 'whale']);
    const [, code] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/serving.md'), 'utf8'))!;
    mkdirSync(join(directory, 'node_modules'));
    symlinkSync(join(root, 'node_modules/openai'), join(directory, 'node_modules/openai'));
    writeFileSync(join(directory, 'example.mjs'), code.replace('http://127.0.0.1:8080/v1', url));
    const child = spawn(process.execPath, ['example.mjs'], { cwd: directory, env: environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    await new Promise((resolve) => child.on('close', resolve));
    // The model knows small letters alone, and may end a text early.
    expect(output).toMatch(/^.{0,40}\d+ \d+\n\[ 12, 12 \]\n$/);
    const [all, cached] = output.match(/\d+/g)!.map(Number);
    expect(all - cached).toBe('Some years ago'.length);
    expect(cached).toBeGreaterThanOrEqual('Call me '.length);
  });

  it('says in one sentence what is wrong', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const port = String((taken.address() as AddressInfo).port);
    const cases: [string[], string][] = [
      [['--model', directory, '--port', port], `performers: Port ${port} on 127.0.0.1 is already in use: choose`],
      [['--model', directory, '--port', '70000'], "error: option '--port <n>' argument '70000' is invalid. Give"],
      [['--model', directory, '--host', '203.0.113.7'], 'performers: 203.0.113.7 is no address of this machine'],
      [['--model', directory, '--api-key', 'a b'], 'performers: The API key is empty or has spaces in it'],
      ...[
        ['timeout', '1e-9'],
        ['timeout', '1e999'],
        ['timeout', '2147484'],
        ['receive-timeout', '2147484'],
        ['session-idle', '2147484'],
        ['grace', '2147484'],
      ].map(([name, value]): [string[], string] => [
        ['--model', directory, `--${name}`, value],
        `error: option '--${name} <seconds>' argument '${value}' is invalid. Give a number of seconds from 0.001 to`,
      ]),
      [['--model', directory, '--max-body', '1e10'], "option '--max-body <bytes>' argument '1e10' is invalid. Give"],
      [
        ['--model', directory, '--cors', '*'],
        'performers: "*" is no origin: give --cors the scheme, name and port alone',
      ],
      [
        ['--model', directory, '--allow-host', 'a:80'],
        'performers: "a:80" is no host: give --allow-host the name alone',
      ],
      [['--model', join(directory, 'nowhere')], 'performers: '],
      [[], "error: required option '--model <dir>' not specified"],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = performers(directory, 'serve', ...args);
      expect([status, stdout], stderr).toEqual([1, '']);
      expect(stderr).toContain(message);
      expect(stderr).not.toContain('    at ');
    }
    taken.close();
  });
});
