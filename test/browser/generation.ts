import type { BackendOptions } from '../../src/entries/performers.ts';

type Library = Pick<typeof import('../../src/entries/performers.ts'), 'createBackend' | 'Transformer' | 'generate'>;

/** What happened in the page while it generated. */
export interface Liveliness {
  readonly description: string;
  readonly tokens: number;
  readonly frames: number;
  readonly timers: number;
}

/**
 * Generates at least 300 tokens, for at least 300 ms, beside frames and a timer of 20 ms. The browser test sends the source of
 * this function to the page, so that the function refers to nothing outside.
 */
export async function generation(
  { createBackend, Transformer, generate }: Library,
  options: BackendOptions,
): Promise<Liveliness> {
  const backend = await createBackend(options);
  const model = new Transformer(backend, {
    ...{ vocabSize: 256, dModel: 256, numLayers: 4, numHeads: 4, dFeedForward: 1024, maxLength: 1024 },
    ...{ positions: 'rotary', attention: { type: 'favor', numFeatures: 64 } },
  });
  const page = globalThis as unknown as { requestAnimationFrame(callback: () => void): void };
  let frames = 0;
  let isDone = false;
  const drawn = () => {
    frames++;
    if (!isDone) page.requestAnimationFrame(drawn);
  };
  page.requestAnimationFrame(drawn);
  let timers = 0;
  const timer = setInterval(() => timers++, 20);
  let tokens = 0;
  for await (const _ of generate(model, [1, 2, 3], { maxTokens: 1000 })) {
    tokens++;
    if (frames >= 3 && timers >= 3) break;
  }
  isDone = true;
  clearInterval(timer);
  backend.close();
  return { description: backend.description, tokens, frames, timers };
}
