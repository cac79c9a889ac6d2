/** Clients that are broken, hostile or slow, and pages of other origins, over real sockets. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Limits } from '../../../cli/serve/engine/limits.ts';
import type { Service, ServiceOptions } from '../../../cli/serve/service.ts';
import { type Backend, createBackend, scope, type Transformer, tensor } from '../../../src/entries/performers.ts';
import { createEngine, startService, tinyModel, tokenizer } from './support.ts';

let backend: Backend;
let model: Transformer;
let service: Service;
const lines: string[] = [];

beforeAll(async () => {
  backend = await createBackend({ numThreads: 1 });
  model = tinyModel(backend);
});
afterEach(async () => {
  lines.length = 0;
  await service.stop(0);
});
afterAll(() => backend.close());

async function serve(limits: Partial<Limits> = {}, options: Partial<ServiceOptions> = {}, served = model) {
  service = await startService(createEngine(served, limits), { write: (line) => lines.push(line), ...options });
}

interface Raw {
  readonly socket: Socket;
  /** What has come so far. */
  received(): string;
  /** All that came until the connection closed. */
  readonly all: Promise<string>;
}

async function raw(text: string): Promise<Raw> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  const all = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return { socket, received: () => received, all };
}

const head = (length: number, fields = '', path = '/v1/completions') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${fields}\r\n`;
const whole = (body: string, fields = '') => head(Buffer.byteLength(body), fields) + body;
const prompt = JSON.stringify({ prompt: 'abc', temperature: 0, max_tokens: 3 });

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(service.url + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));

describe('JSON', () => {
  it('nested however deep, with keys of prototypes, or numbers without end is 400, never 500', async () => {
    await serve();
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const bodies = [
      `{"prompt":"a","logit_bias":${nested(20_000)}}`,
      `{"prompt":"a","suffix":${objects(20_000)}}`,
      `{"prompt":${nested(100_000)}}`,
      `{"prompt":"a","stream_options":${objects(5000)}}`,
      `{"prompt":"a","unknown":${nested(33)}}`,
      nested(400_000),
      objects(100_000),
      '{"prompt":"a","__proto__":{"max_tokens":3}}',
      '{"prompt":"a","constructor":{"prototype":{}}}',
      '{"prompt":"a","temperature":1e999}',
      '{"prompt":"a","max_tokens":1e999}',
      '{"prompt":"a","max_tokens":-1}',
      '{"prompt":"a","max_tokens":1.5}',
      '{"prompt":"a","max_tokens":"3"}',
      '{"prompt":"a","max_tokens":[3]}',
      '{"prompt":"a","seed":9007199254740993}',
      '{"prompt":[1e30]}',
      '{"prompt":[-1]}',
      '{"prompt":[0.5]}',
      '{"prompt":[4294967296]}',
      '{"prompt":[[]]}',
      '{"prompt":[]}',
      '{"prompt":["a",[1]]}',
      '{"prompt":{"0":"a"}}',
      '{"prompt":"a","stop":["",1]}',
      '{"prompt":"a","stream":"yes"}',
      '{"prompt":"a"} {}',
      '\u{feff}',
      '"a"',
      '3',
    ];
    for (const body of bodies) {
      for (const path of ['/v1/completions', '/v1/embeddings', '/v1/classify']) {
        const text = path === '/v1/completions' ? body : body.replace('"prompt"', '"input"');
        const { status, json } = await post(path, text);
        expect([path, body.slice(0, 60), status]).toEqual([path, body.slice(0, 60), 400]);
        expect(json.error.message).toMatch(/^.{10,300}$/s);
      }
    }
    expect(lines).toEqual([]);
    expect((await post('/v1/completions', prompt)).status).toBe(200);
  });
});

describe('the host', () => {
  const statusFor = async (host: string, fields = '') => {
    const { all } = await raw(`GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${fields}\r\n`);
    return statuses(await all)[0];
  };

  it('on the loopback address without a key must be this machine', async () => {
    await serve();
    for (const host of [
      'localhost',
      'LOCALHOST:80',
      'localhost.',
      '127.0.0.1',
      '127.0.0.1:8080',
      '127.0.0.2',
      '[::1]:9',
    ])
      expect([host, await statusFor(host)]).toEqual([host, 200]);
    for (const host of [
      'evil.example',
      'evil.example:8080',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '127.evil.example',
      '10.0.0.1',
      '[2001:db8::1]',
      'xn--nxasmq6b',
      '0.0.0.0',
    ])
      expect([host, await statusFor(host)]).toEqual([host, 403]);
    const { all } = await raw('GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    const answer = await all;
    expect(JSON.parse(answer.split('\r\n\r\n')[1]).error).toMatchObject({ code: 'host_not_allowed' });
    expect(await statusFor('localhost', 'Host: evil.example\r\n')).toBe(400);
    const { all: written } = await raw(
      whole(prompt, 'Connection: close\r\n').replace('Host: localhost', 'Host: evil.example'),
    );
    expect(statuses(await written)).toEqual([403]);
  });

  it('may be allowed by name, is free with a key, and is an address or an allowed name on a network', async () => {
    await serve({}, { allowHosts: ['Box.example'] });
    expect([await statusFor('box.example:80'), await statusFor('other.example')]).toEqual([200, 403]);
    await service.stop(0);
    const key = 'Authorization: Bearer sesame\r\n';
    await serve({}, { apiKey: 'sesame' });
    expect(await statusFor('any.example', key)).toBe(200);
    await service.stop(0);
    await serve({}, { apiKey: 'sesame', allowHosts: ['box.example'] });
    expect([await statusFor('box.example', key), await statusFor('any.example', key)]).toEqual([200, 403]);
    await service.stop(0);
    await serve({}, { host: '0.0.0.0' });
    expect([await statusFor('10.0.0.1:80'), await statusFor('evil.example')]).toEqual([200, 403]);
  });

  it('and the origin are names, or the server does not start', async () => {
    await serve();
    const start = (options: Partial<ServiceOptions>) => startService(createEngine(model), options);
    for (const name of ['http://box', 'box:80', 'a b', ''])
      await expect(start({ allowHosts: [name] })).rejects.toThrow('is no host: give --allow-host');
    for (const origin of ['*', 'null', 'example.org', 'https://example.org/', 'https://example.org/a', 'file:///a'])
      await expect(start({ origins: [origin] })).rejects.toThrow('is no origin: give --cors');
  });
});

describe('pages of other origins', () => {
  const preflight = (origin: string) =>
    fetch(`${service.url}/v1/completions`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    });
  const allowed = ({ headers }: { headers: Headers }) => headers.get('access-control-allow-origin');

  it('are told nothing unless they are named', async () => {
    await serve();
    expect(allowed(await preflight('https://page.example'))).toBeNull();
    expect((await preflight('https://page.example')).status).toBe(405);
    expect(allowed(await post('/v1/completions', prompt, { origin: 'https://page.example' }))).toBeNull();
  });

  it('may ask by exactly the named origin, with errors and before the key is known', async () => {
    const origin = 'https://page.example';
    await serve({}, { origins: [origin, 'http://localhost:3000'], apiKey: 'sesame' });
    const asked = await preflight(origin);
    expect([asked.status, allowed(asked)]).toEqual([204, origin]);
    expect(asked.headers.get('access-control-allow-headers')).toMatch(/authorization/i);
    expect(asked.headers.get('access-control-allow-methods')).toContain('POST');
    expect(asked.headers.get('vary')).toMatch(/origin/i);
    expect(allowed(await preflight('http://localhost:3000'))).toBe('http://localhost:3000');
    for (const other of ['http://page.example', 'https://page.example:444', 'https://a.page.example', 'null'])
      expect([other, allowed(await preflight(other))]).toEqual([other, null]);
    const authorization = 'Bearer sesame';
    const done = await post('/v1/completions', prompt, { origin, authorization });
    expect([done.status, allowed(done)]).toEqual([200, origin]);
    for (const [body, headers] of [
      [prompt, { origin }],
      ['{', { origin, authorization }],
    ] as const) {
      const refused = await post('/v1/completions', body, headers);
      expect([refused.status >= 400, allowed(refused)]).toEqual([true, origin]);
    }
    const stream = await fetch(`${service.url}/v1/completions`, {
      method: 'POST',
      headers: { origin, authorization, 'content-type': 'application/json' },
      body: prompt.replace('{', '{"stream":true,'),
    });
    expect([allowed(stream), (await stream.text()).includes('[DONE]')]).toEqual([origin, true]);
  });
});

describe('what was asked first is answered first:', () => {
  it('requests before garbage, whole and in order', async () => {
    await serve();
    for (const good of [1, 3]) {
      const { all } = await raw(`${whole(prompt).repeat(good)}garbage\r\n\r\n`);
      const text = await all;
      expect(statuses(text)).toEqual([...Array(good).fill(200), 400]);
      expect(text.match(/"finish_reason"/g)).toHaveLength(good);
    }
  });

  it('a stream before garbage runs to its end', async () => {
    await serve();
    const body = prompt.replace('{', '{"stream":true,').replace('"max_tokens":3', '"max_tokens":200');
    const { all } = await raw(`${whole(body)}\r\n\r\nnonsense`);
    const text = await all;
    expect(text).toContain('[DONE]');
    expect(statuses(text)).toEqual([200, 400]);
  });

  it('a request before half of one, which is late', async () => {
    await serve({ receiveTimeout: 0.3 });
    const { all } = await raw(`${whole(prompt)}${head(100)}{"prompt"`);
    expect(statuses(await all)).toEqual([200, 408]);
  });

  it('and garbage within a body is 400 at once', async () => {
    await serve();
    const chunked = head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked');
    expect(statuses(await (await raw(`${chunked}5\r\n{"pro\r\nzz\r\n`)).all)).toEqual([400]);
    const two = head(3).replace('Content-Length: 3', 'Content-Length: 3\r\nContent-Length: 4');
    expect(statuses(await (await raw(`${two}{"a`)).all)).toEqual([400]);
    const both = head(3).replace('Content-Length: 3', 'Content-Length: 3\r\nTransfer-Encoding: chunked');
    expect(statuses(await (await raw(`${both}3\r\n{"a\r\n0\r\n\r\n`)).all)).toEqual([400]);
  });
});

describe('Expect: 100-continue', () => {
  it('asks for a body that is wanted, and for no other', async () => {
    await serve({ maxBody: 1000 });
    const expectation = 'Expect: 100-continue\r\nConnection: close\r\n';
    const wanted = await raw(head(prompt.length, expectation));
    while (!wanted.received().includes('100 Continue')) await sleep(5);
    wanted.socket.write(prompt);
    expect(statuses(await wanted.all)).toEqual([100, 200]);
    expect(statuses(await (await raw(head(2000, expectation))).all)).toEqual([413]);
    expect(statuses(await (await raw(head(20, expectation, '/nowhere'))).all)).toEqual([404]);
  });
});

describe('the end', () => {
  it('does not wait for requests that have not arrived whole, and says so where a header has', async () => {
    await serve();
    const halves = await Promise.all([
      raw(''),
      raw('POST /v1/comp'),
      raw('POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n'),
      raw(`${head(100)}{"prompt"`),
      raw(`${head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked')}5\r\n{"pro`),
      raw(`${whole(prompt)}${head(100)}{"prompt"`),
      raw(head(100, 'Expect: 100-continue\r\n')),
    ]);
    // The server has read them all when the last two were answered.
    const isAnswered = () => halves[5].received().includes('200 OK') && halves[6].received().includes('100 Continue');
    while (!isAnswered()) await sleep(5);
    await sleep(5);
    // Longer than this test may take.
    expect(await service.stop(1000)).toBe(true);
    const answers = await Promise.all(halves.map(({ all }) => all));
    expect(answers.map(statuses)).toEqual([[], [], [], [503], [503], [200, 503], [100, 503]]);
    expect(answers[3]).toContain('shutting_down');
    await serve();
  });

  it('waits for what is at work, beside half a request', async () => {
    await serve({ maxTokens: 1e6 });
    const body = prompt.replace('"max_tokens":3', '"max_tokens":800');
    const working = await raw(whole(body, 'Connection: close\r\n'));
    const half = await raw(`${head(100)}{"prompt"`);
    while (service.engine.admission.active === 0) await sleep(1);
    expect(await service.stop(60)).toBe(true);
    expect(statuses(await working.all)).toEqual([200]);
    expect(JSON.parse((await working.all).split('\r\n\r\n')[1]).usage.completion_tokens).toBeGreaterThan(0);
    expect(statuses(await half.all)).toEqual([503]);
    await serve();
  });
});

describe('classes', () => {
  it('have the probabilities that the model gives the document as training reads it', async () => {
    for (const options of [{ causal: false }, { causal: true, pooling: 'last' }] as const) {
      const classifier = tinyModel(backend, { ...options, numClasses: 3, languageHead: false });
      await serve({}, {}, classifier);
      const input = ['the whale', 'a', 'a ship of war'];
      const { status, json } = await post('/v1/classify', { model: 'tiny', input });
      expect(status).toBe(200);
      expect(json).toMatchObject({ object: 'list', model: 'tiny', usage: { prompt_tokens: 26, total_tokens: 26 } });
      for (const [i, text] of input.entries()) {
        const ids = Int32Array.from([...tokenizer.encode(text), tokenizer.endOfText!]);
        const logits = scope(() => classifier.classify(classifier.forward(tensor(backend, ids, [1, ids.length]))));
        const weights = Array.from(await logits.data(), Math.exp);
        logits.dispose();
        const probs = weights.map((weight) => weight / weights.reduce((a, b) => a + b));
        const { index, label, num_classes: numClasses, probs: served } = json.data[i];
        expect([index, numClasses]).toEqual([i, 3]);
        expect(served).toEqual(probs.map((value) => expect.closeTo(value, 5)));
        expect(label).toBe(`LABEL_${probs.indexOf(Math.max(...probs))}`);
      }
      const completion = await post('/v1/completions', prompt);
      expect([completion.status, completion.json.error.message]).toEqual([
        400,
        expect.stringContaining('/v1/classify'),
      ]);
      for (const wrong of [
        {},
        { input: '' },
        { input: [99] },
        { input: 'a', dimensions: 3 },
        { model: 'x', input: 'a' },
      ])
        expect((await post('/v1/classify', wrong)).status).toBe('model' in wrong ? 404 : 400);
      await service.stop(0);
      classifier.dispose();
    }
    await serve();
    const { status, json } = await post('/v1/classify', { input: 'a' });
    expect([status, json.error.message]).toEqual([400, expect.stringContaining('has no classes')]);
  });
});
