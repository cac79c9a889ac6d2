/** Tiny models and engines for the tests of `performers serve`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Usage } from '../../../cli/serve/completion.ts';
import { Engine } from '../../../cli/serve/engine/engine.ts';
import { defaultLimits, type Limits } from '../../../cli/serve/engine/limits.ts';
import { TextModel } from '../../../cli/serve/engine/text-model.ts';
import { type CompletionBody, completionSchema, parseBody } from '../../../cli/serve/http/schemas.ts';
import { Service, type ServiceOptions } from '../../../cli/serve/service.ts';
import { readWeights } from '../../../src/entries/layers.ts';
import { type Backend, createBackend, encodeSafetensors, Transformer } from '../../../src/entries/performers.ts';
import { type Tokenizer, trainCharacters } from '../../../src/entries/tokenizers.ts';

type Options = ConstructorParameters<typeof Transformer>[1];

/** 31 ids: U+FFFD, 29 characters, the end of text. */
export const tokenizer = await trainCharacters([' -.abcdefghijklmnopqrstuvwxyz'], { endOfText: true });

/** A model directory, and what removes it. */
export async function savedModel(): Promise<[directory: string, remove: () => void]> {
  const backend = await createBackend({ backend: 'wasm', numThreads: 1 });
  const model = tinyModel(backend);
  const parent = mkdtempSync(join(tmpdir(), 'performers-serve-'));
  const directory = join(parent, 'model');
  mkdirSync(directory);
  writeFileSync(join(directory, 'config.json'), JSON.stringify(model.configuration));
  writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
  const weights = await readWeights(model);
  writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(weights));
  backend.close();
  return [directory, () => rmSync(parent, { recursive: true })];
}

/** A model whose logits are spread enough that its choices are not near ties. */
export function tinyModel(backend: Backend, options: Partial<Options> = {}): Transformer {
  const model = new Transformer(
    backend,
    {
      vocabSize: tokenizer.vocabSize,
      dModel: 12,
      numLayers: 2,
      numHeads: 3,
      dFeedForward: 17,
      positions: 'none',
      tiedEmbeddings: false,
      attention: { type: 'favor', numFeatures: 13 },
      ...options,
    },
    5,
  );
  for (const [name, parameter] of model.parameters()) {
    if (name.endsWith('.weight') && !name.includes('orm')) backend.scale(parameter.storage, parameter.storage, 20);
  }
  return model;
}

export function createEngine(
  model: Transformer,
  limits: Partial<Limits> = {},
  codec: Tokenizer = tokenizer,
  known: { readonly sentenceLength?: number } = {},
): Engine {
  return new Engine(new TextModel('tiny', model, codec, known), { ...defaultLimits, ...limits });
}

export function startService(engine: Engine, options: Partial<ServiceOptions> = {}): Promise<Service> {
  return Service.start(engine, { host: '127.0.0.1', port: 0, write: () => {}, ...options });
}

export function completionBody(fields: Record<string, unknown>): CompletionBody {
  return parseBody(completionSchema, fields);
}

/** All text of each choice, its end, and the usage. */
export async function completed(
  engine: Engine,
  fields: Record<string, unknown>,
  signal = new AbortController().signal,
): Promise<{ texts: string[]; reasons: (string | undefined)[]; usage: Usage }> {
  const completion = await engine.complete(completionBody(fields), signal);
  const texts: string[] = [];
  const reasons: (string | undefined)[] = [];
  for await (const { index, piece, finishReason } of completion) {
    texts[index] = (texts[index] ?? '') + (piece?.text ?? '');
    if (finishReason) reasons[index] = finishReason;
  }
  await completion.done;
  return { texts, reasons, usage: completion.usage };
}

/** Waits until `check` holds; fails after so long that no machine is that busy. */
export async function eventually(check: () => boolean): Promise<void> {
  const end = performance.now() + 200_000;
  while (!check()) {
    if (performance.now() > end) throw new Error(`This never came true: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A backend of one thread and {@link tinyModel} on it; the tests close the backend. */
export async function tinyServed(): Promise<{ backend: Backend; model: Transformer }> {
  const backend = await createBackend({ numThreads: 1 });
  return { backend, model: tinyModel(backend) };
}
