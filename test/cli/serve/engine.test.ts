import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../../cli/serve/engine/engine.ts';
import { ApiError } from '../../../cli/serve/errors.ts';
import { embeddingSchema, parseBody } from '../../../cli/serve/http/schemas.ts';
import { Decoder, scope, streamText, type Transformer, tensor } from '../../../src/entries/performers.ts';
import { ByteTokenizer } from '../../../src/entries/tokenizers.ts';
import { turnsDuring } from '../../support/slow-clock.ts';
import { completed, completionBody, createEngine, eventually, tinyModel, tinyServed, tokenizer } from './support.ts';

const { backend, model } = await tinyServed();
const engines: Engine[] = [];
const engineOf = (...args: Parameters<typeof createEngine>) => {
  const engine = createEngine(...args);
  engines.push(engine);
  return engine;
};

afterEach(() => {
  for (const engine of engines.splice(0)) engine.close();
});
afterAll(() => backend.close());

const never = () => new AbortController().signal;

/** What the library's own generation gives. */
async function expected(model: Transformer, prompt: string, maxTokens: number, options = {}): Promise<string> {
  const text = [];
  const all = { maxTokens, temperature: 1, stopToken: tokenizer.endOfText, ...options };
  for await (const piece of streamText(model, tokenizer, prompt, all)) text.push(piece);
  return text.join('');
}

/** The status and the field of what a request is refused with. */
async function refusal(engine: Engine, fields: Record<string, unknown>): Promise<string> {
  try {
    await completed(engine, fields);
  } catch (error) {
    if (error instanceof ApiError)
      return `${error.status} ${error.details.param ?? error.details.code}: ${error.message}`;
    throw error;
  }
  throw new Error('This request was not refused.');
}

/** `length` letters that repeat only after 26·7. */
const letters = (length: number, start = 0) =>
  Array.from({ length }, (_, i) => String.fromCharCode(97 + (((i + start) * (i + start + 3)) % 26))).join('');

describe('a completion', () => {
  const models = {
    'FAVOR+ without positions': {},
    'FAVOR+ with a near field': { attention: { type: 'favor', numFeatures: 13, nearField: { block: 4, sinks: 1 } } },
    'FAVOR+ with rotary positions': { dModel: 24, positions: 'rotary' },
    'exact attention with learned positions': { attention: { type: 'exact' }, positions: 'learned', maxLength: 700 },
    'one exact layer': { exactLayers: [1] },
    'exact attention that becomes FAVOR+': { attention: { type: 'auto', numFeatures: 13, crossover: 40 } },
  } as const;
  for (const [name, options] of Object.entries(models)) {
    it(`is what the library generates, alone and beside others: ${name}`, async () => {
      const model = tinyModel(backend, options);
      const engine = engineOf(model);
      // Lengths below and beyond a piece of a prompt, some of them equal.
      const requests = [3, 1, 31, 31, 31, 300, 600, 31, 2, 3, 3, 17, 47, 31, 31, 31, 31, 31, 31, 31, 31].map(
        (length, i) => ({
          prompt: letters(length, i),
          max_tokens: 20 + (i % 3) * 7,
          temperature: i % 4 === 0 ? 0 : 0.7,
          top_k: i % 5,
          seed: i,
        }),
      );
      const answers = await Promise.all(requests.map((request) => completed(engine, request)));
      for (const [i, { prompt, max_tokens, temperature, top_k, seed }] of requests.entries()) {
        const text = await expected(model, prompt, max_tokens, { temperature, topK: top_k, seed });
        expect(answers[i].texts, `request ${i}`).toEqual([text]);
        const isWhole = text.length === max_tokens;
        expect(answers[i].reasons).toEqual([isWhole ? 'length' : 'stop']);
        expect(answers[i].usage).toEqual({
          promptTokens: prompt.length,
          cachedTokens: 0,
          completionTokens: text.length,
        });
      }
      expect(new Set(answers.map(({ texts }) => texts[0])).size).toBeGreaterThan(10);
      model.dispose();
    });
  }

  it('of several choices feeds the prompt once, and draws each choice apart', async () => {
    const engine = engineOf(model);
    const fields = { prompt: letters(50), max_tokens: 11, temperature: 1, seed: 3 };
    const [alone, { texts, usage }] = [await completed(engine, fields), await completed(engine, { ...fields, n: 5 })];
    expect(texts[0]).toBe(alone.texts[0]);
    expect(new Set(texts).size).toBe(5);
    expect(usage.promptTokens).toBe(50);
    expect(engine.scheduler.tokensFed).toBeLessThanOrEqual(2 * 50 + 6 * 10);
    const again = await completed(engine, { ...fields, n: 5 });
    expect(again.texts).toEqual(texts);
  });

  it('of several prompts, as texts or ids, gives each its choices', async () => {
    const engine = engineOf(model);
    const prompts = [letters(7), letters(7, 5), letters(40, 2)];
    const { texts } = await completed(engine, { prompt: prompts, n: 2, temperature: 0 });
    const ids = prompts.map((prompt) => [...tokenizer.encode(prompt)]);
    expect((await completed(engine, { prompt: ids, n: 2, temperature: 0 })).texts).toEqual(texts);
    for (const [i, prompt] of prompts.entries()) {
      const text = await expected(model, prompt, 16, { temperature: 0 });
      expect([texts[2 * i], texts[2 * i + 1]]).toEqual([text, text]);
    }
  });

  it('without a seed differs from one to the next', async () => {
    const engine = engineOf(model);
    const { texts } = await completed(engine, { prompt: Array(4).fill('ab'), temperature: 1.5 });
    expect(new Set(texts).size).toBe(4);
  });

  it('ends before the first stop sequence, none of which is given out', async () => {
    const engine = engineOf(model);
    const fields = { prompt: 'the whale', max_tokens: 60, temperature: 1, seed: 8 };
    const { texts } = await completed(engine, fields);
    const [text] = texts;
    for (const [from, length] of [
      [10, 1],
      [20, 3],
      [33, 5],
      [0, 2],
    ]) {
      const stop = text.slice(from, from + length);
      const found = await completed(engine, { ...fields, stop: ['qqqqq', stop, `${stop}zzzz`] });
      expect(found.texts[0]).toBe(text.slice(0, text.indexOf(stop)));
      expect(found.reasons).toEqual(['stop']);
      expect(found.usage.completionTokens).toBe(text.indexOf(stop) + length);
    }
    expect((await completed(engine, { ...fields, stop: 'qqqq' })).texts).toEqual([text]);
  });

  it('gives out whole characters where a token is a byte', async () => {
    const bytes = new ByteTokenizer();
    // A table of what follows what: é and ∞ for ever.
    const ids = bytes.encode('é∞');
    const model = tinyModel(backend, { vocabSize: 256, numLayers: 1 });
    const follow = new Float64Array(256 * 12);
    const codes = new Float64Array(256 * 12);
    ids.forEach((id, i) => {
      codes[12 * id + i] = 1e4;
      follow[12 * ids[(i + 1) % ids.length] + i] = 1;
    });
    backend.write(model.parameters().get('tokens.weight')!.storage, codes);
    backend.write(model.parameters().get('output.weight')!.storage, follow);
    const engine = engineOf(model, {}, bytes);
    const completion = await engine.complete(
      completionBody({ prompt: '∞', max_tokens: 11, temperature: 0, logprobs: 0 }),
      never(),
    );
    const pieces = [];
    const tokens = [];
    for await (const { piece } of completion) {
      pieces.push(piece?.text ?? '');
      tokens.push(...(piece?.logProbabilities ?? []).map(({ token, offset }) => `${offset} ${token}`));
    }
    expect(pieces.filter((piece) => piece !== '')).toEqual(['é', '∞', 'é', '∞', '\ufffd']);
    expect(tokens.slice(0, 3)).toEqual(['0 bytes:\\xc3', '0 bytes:\\xa9', '1 bytes:\\xe2']);
    expect(tokens).toHaveLength(11);
    model.dispose();
  });

  it('tells log-probabilities: those of the logits', async () => {
    const engine = engineOf(model);
    const completion = await engine.complete(
      completionBody({ prompt: 'abc', max_tokens: 5, temperature: 0, logprobs: 3 }),
      never(),
    );
    const found = [];
    for await (const { piece } of completion) found.push(...(piece?.logProbabilities ?? []));
    const decoder = new Decoder(model);
    let logits: ArrayLike<number> = await decoder.feed(tokenizer.encode('abc'));
    expect(found).toHaveLength(5);
    for (const [i, { token, logProbability, top, offset }] of found.entries()) {
      const [id] = tokenizer.encode(token);
      const total = Math.log(Array.from(logits).reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(logProbability).toBeCloseTo(logits[id] - total, 5);
      const ranked = Array.from(logits)
        .sort((a, b) => b - a)
        .slice(0, 3);
      expect(top.map(([, value]) => value)).toEqual(ranked.map((logit) => expect.closeTo(logit - total, 5)));
      expect(top[0][0]).toBe(token);
      expect(offset).toBe(i);
      logits = await decoder.feed([id]);
    }
    decoder.dispose();
  });

  it('of no tokens costs nothing but its prompt', async () => {
    const engine = engineOf(model);
    expect(await completed(engine, { prompt: 'abc', max_tokens: 0 })).toEqual({
      texts: [''],
      reasons: ['length'],
      usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 0 },
    });
  });
});

describe('a request is refused', () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{}, /^400 prompt: The field prompt is wrong: must be a text/],
    [{ prompt: '' }, /^400 prompt: A text in prompt is empty/],
    [{ prompt: [] }, /^400 prompt/],
    [{ prompt: ['a', 3] }, /^400 prompt/],
    [{ prompt: [1, 31] }, /^400 prompt: Token 31 in prompt is outside the vocabulary of 31/],
    [{ prompt: [2 ** 32] }, /^400 prompt: Token 4294967296 in prompt is outside the vocabulary of 31/],
    [{ prompt: [1, -1] }, /^400 prompt/],
    [{ prompt: 'a', max_tokens: -1 }, /^400 max_tokens/],
    [{ prompt: 'a', max_tokens: 1.5 }, /^400 max_tokens/],
    [
      { prompt: 'a', max_tokens: 4096 },
      /^400 prompt: 1 tokens of prompt and 4096 of completion are more than the 4096/,
    ],
    [{ prompt: letters(4000), max_tokens: 97 }, /^400 prompt/],
    [{ prompt: 'a', temperature: -0.1 }, /^400 temperature/],
    [{ prompt: 'a', temperature: 'hot' }, /^400 temperature/],
    [{ prompt: 'a', top_p: 0 }, /^400 top_p/],
    [{ prompt: 'a', stop: '' }, /^400 stop/],
    [{ prompt: 'a', n: 0 }, /^400 n/],
    [{ prompt: 'a', n: 65 }, /^400 n: .* at most 64 at once/],
    [{ prompt: 'a', n: 2, best_of: 3 }, /^400 best_of/],
    [{ prompt: 'a', presence_penalty: 0.5 }, /^400 presence_penalty: .*not supported/],
    [{ prompt: 'a', logit_bias: { 3: 1 } }, /^400 logit_bias/],
    [{ prompt: 'a', suffix: 'b' }, /^400 suffix/],
    [{ prompt: 'a', echo: true, logprobs: 1 }, /^400 logprobs/],
    [{ prompt: 'a', stream_options: { include_usage: true } }, /^400 stream_options/],
    [{ prompt: 'a', repetition: 2 }, /^400 repetition: This server does not know the field repetition/],
    [{ prompt: 'a', model: 'gpt-4' }, /^404 model: There is no model "gpt-4" here, only "tiny"/],
    [{ prompt: 'a', session: '../x' }, /^400 session/],
    [{ prompt: '', session: 'new' }, /^400 prompt: Session new holds nothing yet/],
    [{ prompt: ['a', 'b'], session: 'x' }, /^400 session/],
    [{ prompt: 'a', n: 2, session: 'x' }, /^400 session/],
    [{ prompt: 'a', session_tokens: 2 }, /^400 session_tokens/],
    [{ prompt: 'a', session: 'x', session_tokens: 2 }, /^409 session_tokens: Session x holds 0 tokens, not 2/],
  ];
  it.each(wrong)('%j', async (fields, message) => {
    const engine = engineOf(model);
    expect(await refusal(engine, fields)).toMatch(message);
    expect([engine.admission.active, engine.scheduler.numSequences, engine.sessions.size]).toEqual([0, 0, 0]);
  });

  it('with null for what is not set is taken', async () => {
    const unset = [
      'model',
      'max_tokens',
      'temperature',
      'top_p',
      'n',
      'stop',
      'seed',
      'stream',
      'logprobs',
      'suffix',
      'logit_bias',
    ];
    const fields = { prompt: 'a', ...Object.fromEntries(unset.map((name) => [name, null])) };
    expect((await completed(engineOf(model), fields)).texts).toHaveLength(1);
  });

  it('by a bidirectional model, and beyond learned positions', async () => {
    const encoder = tinyModel(backend, { causal: false });
    expect(await refusal(engineOf(encoder), { prompt: 'a' })).toMatch(
      /^400 model: .*bidirectional.* ask \/v1\/embeddings/,
    );
    const short = tinyModel(backend, { positions: 'learned', maxLength: 13 });
    expect(await refusal(engineOf(short), { prompt: 'abc', max_tokens: 11 })).toMatch(
      /^400 prompt: .* more than the 13/,
    );
    expect((await completed(engineOf(short), { prompt: 'abc', max_tokens: 10, temperature: 0 })).texts).toHaveLength(1);
    encoder.dispose();
    short.dispose();
  });
});

describe('embeddings', () => {
  it('of models with token dropout know where mask tokens stand', async () => {
    const esm = tinyModel(backend, { causal: false, tokenDropout: { maskToken: 5, ratio: 0.12 } });
    const input = [3, 5, 8, 5, 1];
    const { vectors } = await engineOf(esm).embed(parseBody(embeddingSchema, { input }), never());
    const options = { maskedTokens: [[0, 1, 0, 1, 0]] };
    const pooled = scope(() => esm.pool(esm.forward(tensor(backend, Int32Array.from(input), [1, 5]), options)));
    const wanted = await pooled.data();
    const length = Math.hypot(...wanted);
    vectors[0].forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] / length, 6);
    });
    pooled.dispose();
    esm.dispose();
  });
});

describe('many requests', () => {
  it('wait in order for a place, as many as the queue has', async () => {
    const engine = engineOf(model, { concurrency: 2, queue: 2 });
    const order: number[] = [];
    const ask = (i: number, signal = never()) =>
      completed(engine, { prompt: 'abc', max_tokens: 8, temperature: 0, n: i === 0 ? 2 : 1 }, signal).then(() =>
        order.push(i),
      );
    const leaving = new AbortController();
    const asked = [ask(0), ask(1, leaving.signal), ask(2)];
    await eventually(() => engine.admission.queued === 2);
    expect(await refusal(engine, { prompt: 'abc' })).toMatch(/^429 rate_limit_exceeded/);
    leaving.abort(new Error('gone'));
    await expect(asked[1]).rejects.toThrow('gone');
    await Promise.all([asked[0], asked[2], ask(3)]);
    expect(order).toEqual([0, 2, 3]);
    expect([engine.admission.active, engine.admission.queued]).toEqual([0, 0]);
  });

  it('take turns: a long prompt does not hold up the others', async () => {
    const engine = engineOf(model, { maxTokens: 100_000 });
    const long = completed(engine, { prompt: letters(50_000), max_tokens: 1 }).then(() => 'long');
    const short = completed(engine, { prompt: 'abc', max_tokens: 50, temperature: 0 }).then(() => 'short');
    const first = Promise.race([long, short]);
    expect(await turnsDuring(first)).toBeGreaterThan(50);
    // Less than a piece of the prompt for each token.
    expect(engine.scheduler.tokensFed).toBeLessThan(3 + 52 * (256 + 1));
    expect(await first).toBe('short');
    await long;
  });

  it('leave no memory behind, whether they end, are aborted or fail', async () => {
    const engine = engineOf(model, { sessions: 3 });
    const settle = async () => {
      await eventually(() => engine.admission.active === 0 && engine.scheduler.numSequences === 0);
      backend.trim();
      return backend.bytesAllocated;
    };
    await completed(engine, { prompt: 'abc' });
    const idle = await settle();
    for (let round = 0; round < 3; round++) {
      const controllers = Array.from({ length: 24 }, () => new AbortController());
      const requests = controllers.map(({ signal }, i) => {
        const session = i % 6 === 5 ? { session: `s${i}` } : { n: 1 + (i % 2) };
        return completed(
          engine,
          {
            prompt: letters(3 + 100 * (i % 4)),
            max_tokens: 3000,
            temperature: i % 2,
            seed: i,
            stop: '.-.',
            ...session,
          },
          signal,
        );
      });
      const outcomes = Promise.allSettled(requests);
      await eventually(() => engine.scheduler.tokensFed > 3000 * (round + 1));
      expect(backend.bytesAllocated).toBeGreaterThan(idle);
      for (const [i, controller] of controllers.entries()) {
        controller.abort(new Error(`gone ${i}`));
        if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      for (const [i, outcome] of (await outcomes).entries()) {
        if (outcome.status === 'rejected') expect(outcome.reason.message).toBe(`gone ${i}`);
      }
      expect((await outcomes).filter(({ status }) => status === 'rejected').length).toBeGreaterThan(6);
      const fed = engine.scheduler.tokensFed;
      await settle();
      // No completion continued behind the clients' backs.
      expect(engine.scheduler.tokensFed - fed).toBeLessThan(24 + 256);
      for (let i = 0; i < 24; i++) engine.sessions.delete(`s${i}`);
      expect(await settle()).toBe(idle);
    }
  });

  it('decode in batches of at most 32', async () => {
    const extend = vi.spyOn(model, 'extend');
    const engine = engineOf(model, { concurrency: 70, queue: 70 });
    const prompt = letters(9);
    await Promise.all(Array.from({ length: 70 }, (_, seed) => completed(engine, { prompt, max_tokens: 40, seed })));
    const sizes = extend.mock.calls.map(([ids]) => ids.shape[0]);
    extend.mockRestore();
    expect(Math.max(...sizes)).toBe(32);
  });

  it('give memory back after a second without work', async () => {
    const timer = vi.spyOn(globalThis, 'setTimeout');
    const trim = vi.spyOn(backend, 'trim');
    try {
      const engine = engineOf(model);
      await completed(engine, { prompt: 'abc', max_tokens: 5 });
      await eventually(() => timer.mock.calls.some(([, delay]) => delay === 1000));
      trim.mockClear();
      const [idle] = timer.mock.calls.filter(([, delay]) => delay === 1000).at(-1) ?? [];
      idle?.();
      expect(trim).toHaveBeenCalledOnce();
    } finally {
      timer.mockRestore();
      trim.mockRestore();
    }
  });

  it('of which one breaks the model fail alone', async () => {
    const broken = tinyModel(backend);
    // Whoever feeds a z gets numbers that are NaN.
    const table = broken.parameters().get('tokens.weight')!;
    const [z] = tokenizer.encode('z');
    backend.write(table.storage, new Float64Array(12).fill(Number.NaN), z * 12);
    const engine = engineOf(broken);
    const answers = await Promise.allSettled(
      ['abc', 'z', 'xyz', 'abd'].map((prompt) => completed(engine, { prompt, max_tokens: 6, temperature: 0 })),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect((answers[1] as PromiseRejectedResult).reason.message).toContain('not finite');
    await eventually(() => engine.scheduler.numSequences === 0);
    broken.dispose();
  });
});
