import { DataError } from '../base/errors.ts';
import { Pauses, untilAborted } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { Random, streams } from '../base/random.ts';
import { scope } from '../tensor/scope.ts';
import { tensor } from '../tensor/tensor.ts';
import type { EncoderDecoder } from './encoder-decoder.ts';
import { encoderDecoderKind } from './encoder-decoder.ts';
import { type SamplingOptions, sampleToken, samplingKinds, samplingSchema } from './sampling.ts';
import { checkIds } from './transformer.ts';

export interface TranslateOptions extends Partial<SamplingOptions> {
  /** Id that starts every target. */
  readonly start: number;
  /** Id that ends a target. */
  readonly stop: number;
  /** Tokens to generate. Default 256. */
  readonly maxTokens?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Ends the generation at the next token, or between layers of the encoder; nothing is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Generates the target of a source token by token, without `start` and `stop`.
 *
 * @param source token ids, at least one
 * @throws DataError when the source is empty, holds unknown tokens, or learned positions end
 */
export async function* translate(
  model: EncoderDecoder,
  source: ArrayLike<number>,
  options: TranslateOptions,
): AsyncGenerator<number, void, undefined> {
  checkArguments(
    'translate',
    { model, source, options },
    {
      model: encoderDecoderKind,
      source: option.numbers,
      options: option.object,
    },
  );
  checkOptions<TranslateOptions>('translate', options, {
    ...samplingKinds,
    start: option.natural,
    stop: option.integer,
    maxTokens: option.natural,
    seed: option.natural,
    signal: option.signal,
  });
  yield* untilAborted(options.signal, tokens(model, source, options));
}

async function* tokens(
  model: EncoderDecoder,
  source: ArrayLike<number>,
  { start, stop, maxTokens = 256, seed = 0, signal, ...sampling }: TranslateOptions,
): AsyncGenerator<number, void, undefined> {
  const pauses = new Pauses(signal);
  const { backend, configuration } = model;
  const options = parseConfiguration(samplingSchema, sampling, 'the options of translate');
  if (source.length === 0) throw new DataError('translate: the source has no tokens; give at least one.');
  checkIds(source, configuration.sourceVocabSize);
  checkIds([start], configuration.targetVocabSize);
  const random = new Random(seed, streams.sampling);
  const given = tensor(backend, Int32Array.from(source), [1, source.length]);
  const encoded = await model.encodeInSteps(given, pauses).finally(() => given.dispose());
  await pauses.next();
  const states = model.createStates(encoded);
  encoded.dispose();
  try {
    let token = start;
    for (let i = 0; i < maxTokens; i++) {
      await pauses.next();
      const last = Int32Array.of(token);
      const logits = scope(() => model.extend(tensor(backend, last, [1, 1]), states));
      try {
        token = sampleToken(await logits.data(), options, random);
      } finally {
        logits.dispose();
      }
      if (token === stop) return;
      yield token;
    }
  } finally {
    for (const { past, source: memory } of states) {
      past.dispose();
      memory.dispose();
    }
  }
}
