import { request as httpRequest, IncomingMessage, ServerResponse } from 'node:http';
import { connect, Socket } from 'node:net';
import OpenAI, { type APIError } from 'openai';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../../cli/serve/engine/engine.ts';
import { requestSignal } from '../../../cli/serve/http/request-signal.ts';
import type { Service, ServiceOptions } from '../../../cli/serve/service.ts';
import { scope, streamText, tensor } from '../../../src/entries/performers.ts';
import { loadForeignTokenizer } from '../../../src/entries/tokenizers.ts';
import { completed, createEngine, eventually, startService, tinyModel, tinyServed, tokenizer } from './support.ts';

const { backend, model } = await tinyServed();
let engine: Engine;
let service: Service;

afterEach(() => {
  vi.useRealTimers();
  return service.stop(0);
});
afterAll(() => backend.close());

async function serve(limits: Parameters<typeof createEngine>[1] = {}, options: Partial<ServiceOptions> = {}) {
  engine = createEngine(model, limits);
  service = await startService(engine, options);
}

const client = (apiKey = 'none') => new OpenAI({ baseURL: `${service.url}/v1`, apiKey, maxRetries: 0 });
const greedy = { model: 'tiny', temperature: 0 };

async function greedyText(prompt: string, maxTokens: number): Promise<string> {
  const pieces = [];
  const options = { maxTokens, temperature: 0, stopToken: tokenizer.endOfText };
  for await (const piece of streamText(model, tokenizer, prompt, options)) pieces.push(piece);
  return pieces.join('');
}

/** The error that the client throws. */
async function failure(promise: Promise<unknown>): Promise<APIError> {
  return promise.then(
    () => {
      throw new Error('This request did not fail.');
    },
    (error) => error,
  );
}

/** Posts `body` and checks that an error comes back in OpenAI's form. */
async function post(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const all = { 'content-type': 'application/json', ...headers };
  const response = await fetch(service.url + path, { method: 'POST', body: body as BodyInit, headers: all });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

function raw(text = ''): Promise<{ socket: Socket; answer: Promise<string> }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1', () => {
      socket.write(text);
      const answer = new Promise<string>((done) => {
        let received = '';
        socket.on('data', (chunk) => {
          received += chunk;
        });
        socket.on('close', () => done(received));
      });
      resolve({ socket, answer });
    });
    socket.on('error', reject);
  });
}

/** Waits until `check` holds, without a timer, as those may be fake. */
async function turnsUntil(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
}

const isIdle = () => engine.admission.active === 0 && engine.scheduler.numSequences === 0;

describe('the openai client', () => {
  it('completes, whole and streamed, with usage', async () => {
    await serve();
    const fields = { ...greedy, prompt: 'call me ishmael', max_tokens: 33 };
    const text = await greedyText('call me ishmael', 33);
    const whole = await client().completions.create(fields);
    expect(whole).toMatchObject({ object: 'text_completion', model: 'tiny' });
    expect(whole.choices).toEqual([{ index: 0, text, logprobs: null, finish_reason: 'length' }]);
    expect(whole.usage).toEqual({
      prompt_tokens: 15,
      completion_tokens: 33,
      total_tokens: 48,
      prompt_tokens_details: { cached_tokens: 0 },
    });

    const stream = await client().completions.create({
      ...fields,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe(text);
    expect(chunks.length).toBe(33 + 2);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.at(-2)?.choices).toEqual([{ index: 0, text: '', logprobs: null, finish_reason: 'length' }]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 15, completion_tokens: 33 } });
    expect(chunks[0].usage).toBeNull();
  });

  it('gets several choices, an echo, log-probabilities and stops', async () => {
    await serve();
    const prompt = ['the whale', 'a ship'];
    const texts = await Promise.all(prompt.map((text) => greedyText(text, 20)));
    const { choices } = await client().completions.create({ ...greedy, prompt, n: 2, echo: true, max_tokens: 20 });
    expect(choices.map(({ text, index }) => [index, text])).toEqual(
      [0, 0, 1, 1].map((i, index) => [index, prompt[i] + texts[i]]),
    );
    const stream = await client().completions.create({ ...greedy, prompt, echo: true, max_tokens: 20, stream: true });
    const streamed = ['', ''];
    for await (const { choices } of stream) streamed[choices[0].index] += choices[0].text;
    expect(streamed).toEqual([prompt[0] + texts[0], prompt[1] + texts[1]]);

    const stop = texts[0].slice(7, 9);
    const stopped = await client().completions.create({
      ...greedy,
      prompt: prompt[0],
      logprobs: 2,
      stop,
      max_tokens: 20,
    });
    const [{ text, logprobs, finish_reason }] = stopped.choices;
    expect(text).toBe(texts[0].slice(0, texts[0].indexOf(stop)));
    expect(finish_reason).toBe('stop');
    expect(logprobs?.tokens).toEqual([...text]);
    expect(logprobs?.text_offset).toEqual([...text].map((_, i) => i));
    expect(logprobs?.token_logprobs?.every((value) => value < 0)).toBe(true);
    expect(logprobs?.top_logprobs?.map((top) => Object.keys(top).length)).toEqual([...text].map(() => 2));
  });

  it('continues with a session, and ends it', async () => {
    await serve();
    const ask = (prompt: string) =>
      client().completions.create({ ...greedy, prompt, max_tokens: 10, session: 'ahab' } as typeof greedy & {
        prompt: string;
      });
    const first = await ask('call me');
    const second = await ask(' and');
    const whole = await client().completions.create({
      ...greedy,
      prompt: `call me${first.choices[0].text} and`,
      max_tokens: 10,
    });
    expect(second.choices).toEqual(whole.choices);
    expect(second.usage).toMatchObject({ prompt_tokens: 21, prompt_tokens_details: { cached_tokens: 17 } });
    const path = `${service.url}/v1/sessions/ahab`;
    const deleted = await fetch(path, { method: 'DELETE' });
    expect([deleted.status, await deleted.json()]).toEqual([200, { id: 'ahab', object: 'session', deleted: true }]);
    expect((await fetch(path, { method: 'DELETE' })).status).toBe(404);
    expect((await ask('call me')).choices).toEqual(first.choices);
  });

  it('embeds texts as a direct computation does', async () => {
    for (const options of [{}, { causal: false }, { causal: false, pooling: 'first', positions: 'learned' }] as const) {
      const encoder = tinyModel(backend, options);
      engine = createEngine(encoder);
      service = await startService(engine);
      const input = ['the whale', 'a', 'a ship of war'];
      const direct: number[][] = [];
      for (const text of input) {
        const ids = tokenizer.encode(text);
        const hidden = scope(() => encoder.forward(tensor(backend, ids, [1, ids.length])));
        const numbers = await hidden.data();
        hidden.dispose();
        const rows = Array.from({ length: ids.length }, (_, i) => [...numbers.subarray(12 * i, 12 * (i + 1))]);
        const counted = 'pooling' in options ? rows.slice(0, 1) : rows;
        const mean = rows[0].map((_, c) => counted.reduce((sum, row) => sum + row[c], 0) / counted.length);
        direct.push(mean.map((x) => x / Math.hypot(...mean)));
      }
      const asFloats = await client().embeddings.create({ model: 'tiny', input, encoding_format: 'float' });
      // The client asks for base64 unless told otherwise, and decodes it.
      const decoded = await client().embeddings.create({ model: 'tiny', input });
      expect(asFloats.usage).toEqual({ prompt_tokens: 23, total_tokens: 23 });
      expect(asFloats.data.map(({ index }) => index)).toEqual([0, 1, 2]);
      for (const [i, { embedding }] of asFloats.data.entries()) {
        expect(embedding).toHaveLength(12);
        expect(embedding).toEqual(direct[i].map((x) => expect.closeTo(x, 6)));
        expect([...decoded.data[i].embedding]).toEqual(embedding);
      }
      const ids = await client().embeddings.create({ model: 'tiny', input: [...tokenizer.encode('a ship of war')] });
      expect([...ids.data[0].embedding]).toEqual(asFloats.data[2].embedding);
      await service.stop(0);
      encoder.dispose();
    }
    await serve();
  });

  it('embeds texts between the special tokens of their tokenizer', async () => {
    const vocab = { '[CLS]': 0, '[SEP]': 1, '[UNK]': 2, the: 3, whale: 4 };
    const special = (content: string, id: number) => {
      return { id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };
    };
    const single = [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ];
    const tokenOf = (id: string, number: number) => ({ id, ids: [number], tokens: [id] });
    const words = await loadForeignTokenizer({
      version: '1.0',
      added_tokens: [special('[CLS]', 0), special('[SEP]', 1), special('[UNK]', 2)],
      normalizer: null,
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: {
        type: 'TemplateProcessing',
        single,
        pair: single,
        special_tokens: { '[CLS]': tokenOf('[CLS]', 0), '[SEP]': tokenOf('[SEP]', 1) },
      },
      decoder: null,
      model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
    });
    const encoder = tinyModel(backend, { vocabSize: 5, causal: false });
    engine = createEngine(encoder, {}, words);
    service = await startService(engine);
    const embed = async (input: string | number[]) => {
      const { data, usage } = await client().embeddings.create({ model: 'tiny', input });
      return { embedding: [...data[0].embedding], tokens: usage.prompt_tokens };
    };
    const framed = await embed('the whale');
    expect(framed).toEqual(await embed([0, 3, 4, 1]));
    expect(framed.tokens).toBe(4);
    expect(await failure(client().embeddings.create({ model: 'tiny', input: ['the', ''] }))).toMatchObject({
      status: 400,
    });
    await service?.stop(0);
    // Cut as sentence-transformers cuts: in front of the last special token.
    engine = createEngine(encoder, {}, words, { sentenceLength: 3 });
    service = await startService(engine);
    expect(await embed('the whale the whale')).toEqual(await embed([0, 3, 1]));
    expect(await embed('whale')).toEqual(await embed([0, 4, 1]));
    expect(await failure(client().embeddings.create({ model: 'tiny', input: [0, 3, 4, 1] }))).toMatchObject({
      status: 400,
      message: expect.stringContaining("An input has 4 tokens; this model's max_seq_length is 3."),
    });
    encoder.dispose();
  });

  it('lists the model', async () => {
    await serve();
    const models = [];
    for await (const { id, object } of client().models.list()) models.push([id, object]);
    expect(models).toEqual([['tiny', 'model']]);
    expect((await client().models.retrieve('tiny')).owned_by).toBe('performers');
    expect(await failure(client().models.retrieve('org/other'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  it('throws what the server refuses, as it is', async () => {
    await serve({}, { apiKey: 'sesame' });
    const create = (fields: object, key = 'sesame') =>
      failure(client(key).completions.create({ ...greedy, prompt: 'a', ...fields }));
    expect(await create({}, 'wrong')).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      type: 'invalid_request_error',
    });
    expect(await create({ prompt: '' })).toMatchObject({ status: 400, param: 'prompt', type: 'invalid_request_error' });
    expect(await create({ model: 'x' })).toMatchObject({ status: 404, code: 'model_not_found' });
    expect(await create({ suffix: 'x' })).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'suffix',
    });
    expect(
      await failure(client('sesame').embeddings.create({ model: 'tiny', input: 'a', dimensions: 3 })),
    ).toMatchObject({
      status: 400,
      param: 'dimensions',
    });
    expect((await client('sesame').completions.create({ ...greedy, prompt: 'a' })).choices).toHaveLength(1);
  });
});

describe('a request gets the right status:', () => {
  const prompt = JSON.stringify({ prompt: 'abc', temperature: 0 });

  it('malformed, too large, of another type, to nowhere, by a wrong method', async () => {
    await serve({ maxBody: 1000 });
    const path = '/v1/completions';
    const large = JSON.stringify({ prompt: 'a'.repeat(2000) });
    const cases: [number, Promise<{ status: number; json: { error: { type: string; message: string } } }>][] = [
      [400, post(path, '{"prompt": ')],
      [400, post(path, '')],
      [400, post(path, '[]')],
      [400, post(path, 'null')],
      [400, post(path, Buffer.from([0x22, 0xff, 0x22]))],
      [413, post(path, large)],
      [413, post('/v1/embeddings', large)],
      [415, post(path, prompt, { 'content-type': 'text/plain' })],
      [415, post(path, prompt, { 'content-type': 'application/json; charset=latin1' })],
      [415, post(path, prompt, { 'content-encoding': 'gzip' })],
      [404, post('/v1/chat/completions', prompt)],
      [404, post('/v2', prompt)],
      [405, post('/v1/models', prompt)],
      [405, post('/v1/sessions/x', prompt)],
      [405, post('/health', prompt)],
    ];
    for (const [i, [status, answer]] of cases.entries()) {
      const { status: got, json } = await answer;
      expect([i, got]).toEqual([i, status]);
      expect(json.error).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(/.{10}/) });
    }
    const get = await fetch(`${service.url}/v1/completions`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await post(path, prompt, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
    expect(isIdle()).toBe(true);
  });

  it('as many tokens and bytes as are allowed, and not one more', async () => {
    const body = (length: number) => JSON.stringify({ input: Array.from({ length }, () => 7) });
    await serve({ maxTokens: 5, maxBody: body(6).length });
    const over = await post('/v1/embeddings', body(6));
    expect([(await post('/v1/embeddings', body(5))).status, over.status]).toEqual([200, 400]);
    expect(over.json.error).toMatchObject({ code: 'context_length_exceeded' });
    const statusOf = async (text: string) => {
      const head = 'POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
      const type = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
      const { answer } = await raw(`${head}${type}${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
      return (await answer).split(' ')[1];
    };
    const padded = body(5).padEnd(body(6).length);
    expect([await statusOf(padded), await statusOf(`${padded} `)]).toEqual(['200', '413']);
  });

  it('a body that is too large and of unknown length', async () => {
    await serve({ maxBody: 100_000 });
    const { hostname, port } = new URL(service.url);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
      const request = httpRequest({ hostname, port, path: '/v1/completions', method: 'POST', headers }, resolve);
      request.on('error', reject);
      request.write('"');
      for (let i = 0; i < 40; i++) request.write('a'.repeat(10_000));
      request.end('"');
    });
    expect(answer.statusCode).toBe(413);
    answer.resume();
    expect((await post('/v1/completions', prompt)).status).toBe(200);
  });

  it('without or with a wrong key', async () => {
    await serve({}, { apiKey: 'sesame' });
    const status = async (authorization: string) => (await post('/v1/completions', prompt, { authorization })).status;
    for (const wrong of ['', 'Bearer', 'Bearer ', 'Bearer sesam', 'Bearer sesame2', 'Basic sesame', 'sesame']) {
      expect([wrong, await status(wrong)]).toEqual([wrong, 401]);
    }
    expect([await status('Bearer sesame'), await status('bearer  sesame')]).toEqual([200, 200]);
    const other = await fetch(`${service.url}/v1/nowhere`);
    expect([other.status, other.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    const health = async (headers = {}) => (await fetch(`${service.url}/health`, { headers })).json();
    expect(await health()).toEqual({ status: 'ok' });
    expect(await health({ authorization: 'Bearer sesame' })).toMatchObject({ active: 0, sessions: 0 });
  });

  it('header fields or a body that trickle in, or that are no HTTP', async () => {
    await serve({ receiveTimeout: 0.4 });
    const start = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const slow = await Promise.all([
      raw('POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n'),
      raw(`${start}Content-Length: 100\r\n\r\n{"prompt"`),
    ]);
    const drip = setInterval(() => {
      slow[0].socket.write('X-A: b\r\n');
      slow[1].socket.write(' ');
    }, 50);
    for (const { answer } of slow) {
      const text = await answer;
      expect(text).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
      expect(JSON.parse(text.split('\r\n\r\n')[1]).error.type).toBe('invalid_request_error');
    }
    clearInterval(drip);
    // With the usual time, which no machine is too busy for.
    await service.stop(0);
    await serve();
    const answerTo = async (text: string) => (await raw(text)).answer;
    expect(await answerTo('hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*"error"/s);
    expect(await answerTo(`GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
    expect(await answerTo('GET /v1/models HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 .*"error"/s,
    );
    expect(isIdle()).toBe(true);
    expect((await post('/v1/completions', prompt)).status).toBe(200);
  });

  it('longer than the time for a request, streamed or not', async () => {
    await serve({ timeout: 1, maxTokens: 1e6 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const long = { prompt: 'abc', temperature: 0, max_tokens: 900_000 };
    const asked = post('/v1/completions', JSON.stringify(long));
    await turnsUntil(() => engine.scheduler.tokensFed > 10);
    vi.advanceTimersByTime(999);
    expect(engine.scheduler.numSequences).toBe(1);
    vi.advanceTimersByTime(1);
    const { status, json } = await asked;
    expect([status, json.error.code]).toEqual([503, 'request_timeout']);
    const pieces: string[] = [];
    const error = await failure(
      (async () => {
        const stream = await client().completions.create({ ...greedy, ...long, stream: true });
        for await (const { choices } of stream) if (pieces.push(choices[0].text) === 3) vi.advanceTimersByTime(1000);
      })(),
    );
    expect(error.message).toContain('longer than the 1 s');
    expect(pieces.length).toBeGreaterThanOrEqual(3);
    vi.useRealTimers();
    await eventually(isIdle);
  });

  it('one too many', async () => {
    await serve({ concurrency: 1, queue: 1, maxTokens: 1e6 });
    const gone = new AbortController();
    const ask = () =>
      client().completions.create({ ...greedy, prompt: 'abc', max_tokens: 900_000 }, { signal: gone.signal });
    const asked = [failure(ask())];
    await eventually(() => engine.admission.active === 1);
    asked.push(failure(ask()));
    await eventually(() => engine.admission.queued === 1);
    const third = await failure(ask());
    expect(third).toMatchObject({ status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' });
    expect((third.headers as Headers).get('retry-after')).toBe('1');
    gone.abort();
    await Promise.all(asked);
    await eventually(() => isIdle() && engine.admission.queued === 0);
  });
});

it('a client that goes away frees what its request held, and its session is as it was', async () => {
  await serve({ maxTokens: 1e6 });
  await completed(engine, { prompt: 'call me', max_tokens: 0, session: 's' });
  backend.trim();
  const idle = backend.bytesAllocated;
  for (const stream of [true, false]) {
    for (const session of ['s', undefined]) {
      const gone = new AbortController();
      const fields = { ...greedy, prompt: 'abc', max_tokens: 900_000, stream, ...(session && { session }) };
      const before = engine.scheduler.tokensFed;
      const asked = failure(
        (async () => {
          const answer = await client().completions.create(fields as typeof greedy & { prompt: string; stream: true }, {
            signal: gone.signal,
          });
          for await (const _ of answer);
          throw new Error('The stream ended.');
        })(),
      );
      await eventually(() => engine.scheduler.tokensFed > before + 100);
      expect(engine.scheduler.numSequences).toBe(1);
      gone.abort();
      await asked;
      await eventually(isIdle);
      backend.trim();
      expect(backend.bytesAllocated).toBe(idle);
    }
  }
  const { usage } = await completed(engine, { prompt: ' and', session: 's' });
  expect(usage.cachedTokens).toBe(7);
});

it('a client that does not read is cut off when its time is over', async () => {
  await serve({ timeout: 0.5, maxTokens: 1e6 });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const body = JSON.stringify({ prompt: 'abc', temperature: 0, max_tokens: 900_000, stream: true });
  const head = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.pause().write(head + body);
  await turnsUntil(() => engine.scheduler.tokensFed > 0);
  vi.advanceTimersByTime(499);
  expect(isIdle()).toBe(false);
  vi.advanceTimersByTime(1);
  vi.useRealTimers();
  await eventually(isIdle);
  socket.destroy();
});

it('a client that does not even take what was written is disconnected', () => {
  vi.useFakeTimers();
  const outgoing = new ServerResponse(new IncomingMessage(new Socket()));
  const signal = requestSignal(outgoing, 7, new AbortController().signal);
  vi.advanceTimersByTime(6900);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(200);
  expect([signal.reason.status, outgoing.destroyed]).toEqual([503, false]);
  vi.advanceTimersByTime(3000);
  expect(outgoing.destroyed).toBe(true);
  vi.useRealTimers();
});

it('64 clients at once lose nothing', async () => {
  await serve({ concurrency: 16, queue: 64 });
  const prompts = Array.from(
    { length: 64 },
    (_, i) => `${'the whale and the ship '.slice(0, 3 + (i % 20))}${i % 7 ? 'a' : 'b'}`,
  );
  const answers = await Promise.all(
    prompts.map(async (prompt, i) => {
      const fields = { ...greedy, prompt, max_tokens: 25 };
      if (i % 2) return (await client().completions.create(fields)).choices[0].text;
      let text = '';
      for await (const { choices } of await client().completions.create({ ...fields, stream: true }))
        text += choices[0].text;
      return text;
    }),
  );
  for (const [i, prompt] of prompts.entries()) expect(answers[i]).toBe(await greedyText(prompt, 25));
  expect(isIdle()).toBe(true);
});

it('--verbose: a line for each request, without what it says', async () => {
  const lines: string[] = [];
  await serve({}, { verbose: true, write: (line) => lines.push(line) });
  await client().completions.create({ ...greedy, prompt: 'secret', max_tokens: 4 });
  await fetch(`${service.url}/v1/sessions/secret`, { method: 'DELETE' });
  await fetch(`${service.url}/nowhere?key=secret`);
  await eventually(() => lines.length === 3);
  expect(lines[0]).toMatch(/^\d{4}-.*Z POST \/v1\/completions 200 \d\.\d\d s 6 \+ 4 tokens$/);
  expect(lines[1]).toMatch(/ DELETE \/v1\/sessions\/… 404 /);
  expect(lines[2]).toMatch(/ GET \/nowhere 404 /);
  expect(lines.join()).not.toContain('secret');
});
