import type { SavedState, SavedStateJson } from '../attention/decoding/saved-state.ts';
import type { DecodingState } from '../attention/types.ts';
import { DataError } from '../base/errors.ts';
import { Pauses, type Stoppable, untilAborted } from '../base/event-loop.ts';
import { checkArguments, checkOptions, type OptionKinds, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { Random, streams } from '../base/random.ts';
import { feedPrompt, isOnePiece } from './prompt.ts';
import { type SamplingOptions, sampleToken, samplingKinds, samplingSchema } from './sampling.ts';
import { checkIds, type Transformer, transformerKind } from './transformer.ts';

/**
 * One sequence being decoded. FAVOR+ keeps a state of constant size and spends the same time on every token; exact
 * attention keeps all keys and values.
 */
export class Decoder {
  #states: DecodingState[];
  /** Ends when what was fed so far is in the states: calls take effect in the order in which they are made. */
  #fed: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  /**
   * @param saved what {@link Decoder.save} gave: the decoder continues from there
   * @throws DataError for a bidirectional model, and when `saved` is damaged or of another model.
   */
  constructor(
    readonly model: Transformer,
    saved?: readonly (SavedState | SavedStateJson)[],
  ) {
    checkArguments(
      'Decoder',
      { model, saved },
      {
        model: transformerKind,
        saved: option.optional(option.list),
      },
    );
    this.#states = saved ? restoreStates(model, saved) : model.createStates();
  }

  /** Tokens seen. */
  get position(): number {
    return this.#states[0].position;
  }

  /**
   * Feeds tokens after those seen so far. A long prompt is fed in pieces between which timers, signals and frames
   * happen. The logits are those of the whole prompt at once, to the bit.
   *
   * @param options.signal stops it: its reason is thrown
   * @returns the logits of the next token, `[vocabSize]`
   * @throws DataError when `ids` is empty, holds a token outside the vocabulary, or runs past learned positions
   * @throws the signal's reason when the signal aborts. In both cases nothing is fed.
   */
  async feed(
    ids: ArrayLike<number>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array | Float64Array> {
    checkArguments('Decoder.feed', { ids }, { ids: option.array });
    checkOptions<Stoppable>('Decoder.feed', options, { signal: option.signal });
    if (ids.length === 0) throw new DataError('Decoder.feed: no tokens; give at least one, such as a prompt.');
    checkIds(ids, this.model.configuration.vocabSize);
    const given = Int32Array.from(ids, Number);
    return this.#inTurn(() => this.#feed(given, new Pauses(options.signal)));
  }

  /** The past as plain data, one entry per layer; `new Decoder(model, saved)` continues from it. */
  async save(): Promise<SavedState[]> {
    return this.#inTurn(() => Promise.all(this.#states.map((state) => state.save())));
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const state of this.#states) state.dispose();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#fed.then(work);
    this.#fed = result.catch(() => {});
    return result;
  }

  async #feed(ids: Int32Array, pauses: Pauses): Promise<Float32Array | Float64Array> {
    let before = isOnePiece(ids.length) ? undefined : this.#states.map((state) => state.clone());
    try {
      const logits = await feedPrompt(this.model, ids, this.#states, pauses);
      try {
        return await logits.data();
      } finally {
        logits.dispose();
      }
    } catch (error) {
      if (!before || this.#isDisposed) throw error;
      [this.#states, before] = [before, this.#states];
      throw error;
    } finally {
      for (const state of before ?? []) state.dispose();
    }
  }
}

function restoreStates(model: Transformer, saved: readonly (SavedState | SavedStateJson)[]): DecodingState[] {
  const { attentions } = model;
  if (saved.length !== attentions.length) {
    throw new DataError(
      `The saved state has ${saved.length} layers, the model ${attentions.length}: use its own model.`,
    );
  }
  return attentions.map((attention, layer) => attention.restoreState(saved[layer]));
}

export interface GenerateOptions extends Partial<SamplingOptions> {
  /** Tokens to generate. Default 256. */
  readonly maxTokens?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Ends generation early, such as an end-of-text id. */
  readonly stopToken?: number;
  /**
   * Ends the generation at the next token, or within a long prompt. Nothing is thrown, as everything that came is
   * whole.
   */
  readonly signal?: AbortSignal | undefined;
}

const generateOptions: OptionKinds<GenerateOptions> = {
  ...samplingKinds,
  maxTokens: option.natural,
  seed: option.natural,
  stopToken: option.integer,
  signal: option.signal,
};

/**
 * Generates token by token. Timers, signals and frames happen between tokens and between pieces of a long prompt.
 *
 * @param prompt token ids, at least one
 * @throws DataError when the prompt is empty, holds unknown tokens, or is longer than learned positions allow
 */
export async function* generate(
  model: Transformer,
  prompt: ArrayLike<number>,
  options: GenerateOptions = {},
): AsyncGenerator<number, void, undefined> {
  checkArguments(
    'generate',
    { model, prompt },
    {
      model: transformerKind,
      prompt: option.numbers,
    },
  );
  checkOptions<GenerateOptions>('generate', options, generateOptions);
  yield* untilAborted(options.signal, tokens(model, prompt, options));
}

async function* tokens(
  model: Transformer,
  prompt: ArrayLike<number>,
  { maxTokens = 256, seed = 0, stopToken, signal, ...sampling }: GenerateOptions,
): AsyncGenerator<number, void, undefined> {
  const options = parseConfiguration(samplingSchema, sampling, 'the options of generate');
  const random = new Random(seed, streams.sampling);
  const decoder = new Decoder(model);
  try {
    let logits = await decoder.feed(prompt, { signal });
    for (let i = 0; i < maxTokens; i++) {
      signal?.throwIfAborted();
      const token = sampleToken(logits, options, random);
      if (token === stopToken) return;
      yield token;
      if (i + 1 < maxTokens) logits = await decoder.feed([token], { signal });
    }
  } finally {
    decoder.dispose();
  }
}

/** What text generation needs of a tokenizer. */
interface TextCodec {
  encode(text: string): ArrayLike<number>;
  /** Turns ids into text as soon as whole characters are there. */
  decodeStream(): { push(id: number): string; end(): string };
}

/** Generates text piece by piece. @throws like {@link generate}. */
export async function* streamText(
  model: Transformer,
  tokenizer: TextCodec,
  prompt: string,
  options: GenerateOptions = {},
): AsyncGenerator<string, void, undefined> {
  checkArguments(
    'streamText',
    { model, tokenizer, prompt },
    {
      model: transformerKind,
      tokenizer: option.having('a tokenizer', { encode: option.function, decodeStream: option.function }),
      prompt: option.string,
    },
  );
  const decoder = tokenizer.decodeStream();
  for await (const token of generate(model, tokenizer.encode(prompt), options)) {
    const text = decoder.push(token);
    if (text) yield text;
  }
  const rest = decoder.end();
  if (rest) yield rest;
}
