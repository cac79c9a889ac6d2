import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../../cli/serve/engine/engine.ts';
import { completed, createEngine, eventually, tinyModel, tinyServed } from './support.ts';

const { backend, model } = await tinyServed();
let engine: Engine;

afterEach(() => engine.close());
afterAll(() => backend.close());

const code = (error: unknown) => (error as { details: { code: string } }).details.code;

describe('a session', () => {
  const models = {
    'FAVOR+': {},
    'FAVOR+ with rotary positions': { dModel: 24, positions: 'rotary' },
    'exact attention': { attention: { type: 'exact' } },
  } as const;
  for (const [name, options] of Object.entries(models)) {
    for (const choice of [{ temperature: 0 }, { temperature: 0.8, seed: 12 }]) {
      it(`continues as the whole text would, and feeds only what is new: ${name}, ${JSON.stringify(choice)}`, async () => {
        const model = tinyModel(backend, options);
        engine = createEngine(model);
        const turns = [
          ['call me ishmael', 40],
          ['. some years ago', 31],
          ['', 17],
          [' - never mind how long', 0],
          [' precisely', 23],
        ] as const;
        let past = '';
        for (const [prompt, max_tokens] of turns) {
          const whole = await completed(engine, { prompt: past + prompt || 'x', max_tokens, ...choice });
          const before = engine.scheduler.tokensFed;
          const { texts, usage } = await completed(engine, { prompt, max_tokens, session: 'ahab', ...choice });
          expect(texts).toEqual(whole.texts);
          expect(usage).toEqual({
            promptTokens: past.length + prompt.length,
            cachedTokens: past.length,
            completionTokens: texts[0].length,
          });
          expect(engine.scheduler.tokensFed - before).toBe(prompt.length + texts[0].length);
          past += prompt + texts[0];
        }
        expect(past.length).toBeGreaterThan(100);
        model.dispose();
      });
    }
  }

  it('remembers the stop sequence that ended a completion', async () => {
    engine = createEngine(model);
    const fields = { prompt: 'call me', max_tokens: 50, temperature: 1, seed: 4 };
    const [text] = (await completed(engine, fields)).texts;
    const stop = text.slice(9, 11);
    const first = await completed(engine, { ...fields, session: 's', stop });
    expect(first.texts[0] + stop).toBe(text.slice(0, text.indexOf(stop) + 2));
    const next = { prompt: ' and', max_tokens: 9, temperature: 0 };
    const whole = await completed(engine, { ...next, prompt: `call me${first.texts[0]}${stop} and` });
    expect((await completed(engine, { ...next, session: 's' })).texts).toEqual(whole.texts);
  });

  it('is for one request at a time', async () => {
    engine = createEngine(model);
    const first = completed(engine, { prompt: 'abc', max_tokens: 100, session: 's', temperature: 0 });
    await expect(completed(engine, { prompt: 'd', session: 's' })).rejects.toSatisfy((e) => code(e) === 'session_busy');
    expect(() => engine.sessions.delete('s')).toThrow('in use');
    await completed(engine, { prompt: 'd', session: 'other' });
    await first;
    await completed(engine, { prompt: 'd', session: 's' });
    expect(engine.sessions.delete('s')).toBe(true);
    expect(engine.sessions.delete('s')).toBe(false);
  });

  it('is as it was after a request that was aborted, refused or failed', async () => {
    engine = createEngine(model);
    await completed(engine, { prompt: 'call me ishmael', max_tokens: 0, session: 's' });
    const gone = new AbortController();
    const aborted = completed(engine, { prompt: 'abc', max_tokens: 2000, temperature: 0, session: 's' }, gone.signal);
    const before = engine.scheduler.tokensFed;
    await eventually(() => engine.scheduler.tokensFed > before + 20);
    gone.abort(new Error('gone'));
    await expect(aborted).rejects.toThrow('gone');
    await eventually(() => engine.admission.active === 0);
    await expect(completed(engine, { prompt: 'a', max_tokens: 9999, session: 's' })).rejects.toThrow('more than');
    const next = { prompt: '. some', max_tokens: 12, temperature: 0 };
    const { texts } = await completed(engine, { ...next, prompt: 'call me ishmael. some' });
    const followUp = await completed(engine, { ...next, session: 's', session_tokens: 15 });
    expect(followUp.texts).toEqual(texts);
    expect(followUp.usage.cachedTokens).toBe(15);
  });

  it('that holds another number of tokens than the client thinks is not used', async () => {
    engine = createEngine(model);
    const { usage } = await completed(engine, { prompt: 'abc', max_tokens: 4, session: 's', session_tokens: 0 });
    const held = usage.promptTokens + usage.completionTokens;
    const ask = (session_tokens: number) => completed(engine, { prompt: 'd', session: 's', session_tokens });
    await expect(ask(held + 1)).rejects.toSatisfy((e) => code(e) === 'session_mismatch');
    await expect(ask(0)).rejects.toSatisfy((e) => code(e) === 'session_mismatch');
    expect((await ask(held)).usage.cachedTokens).toBe(held);
  });

  it('is dropped when others were used more lately, or after its idle time', async () => {
    engine = createEngine(model, { sessions: 2, sessionIdle: 0.15 });
    const held = async (session: string) =>
      (await completed(engine, { prompt: 'a', max_tokens: 0, session })).usage.cachedTokens;
    for (const session of ['a', 'b', 'a', 'c']) await held(session);
    expect(engine.sessions.size).toBe(2);
    expect([await held('a'), await held('b')]).toEqual([2, 0]);
    await eventually(() => engine.sessions.size === 0);
    expect(await held('a')).toBe(0);
  });

  it('has no end where its state does not grow; elsewhere its past counts', async () => {
    engine = createEngine(model, { maxTokens: 20 });
    const ask = () => completed(engine, { prompt: 'abcdefghij', max_tokens: 3, temperature: 0, session: 's' });
    for (let i = 0; i < 4; i++) await ask();
    const exact = tinyModel(backend, { attention: { type: 'exact' } });
    engine.close();
    engine = createEngine(exact, { maxTokens: 20 });
    await ask();
    await expect(ask()).rejects.toThrow(
      /^10 tokens of prompt and 3 of completion, after 1\d in the session, are more than the 20 allowed/,
    );
    exact.dispose();
  });
});
