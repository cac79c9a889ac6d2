import { DataError } from '../base/errors.ts';
import { checkArguments, type OptionKinds, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import type { Random } from '../base/random.ts';
import { randomKind } from '../base/random.ts';
import { z } from '../base/zod.ts';

/** How the next token is chosen from the logits. */
export const samplingSchema = z.lazy(() =>
  z.strictObject({
    /** Divides the logits; 0 = always the most likely token. Default 1. */
    temperature: z._default(z.number().check(z.minimum(0)), 1),
    /** Keep only the k most likely tokens; 0 = all. Default 0. */
    topK: z._default(z.int().check(z.minimum(0)), 0),
    /** Keep the most likely tokens that together reach this probability. Default 1. */
    topP: z._default(z.number().check(z.gt(0), z.maximum(1)), 1),
  }),
);
export type SamplingOptions = z.infer<typeof samplingSchema>;

export const samplingKinds: OptionKinds<SamplingOptions> = {
  temperature: option.number,
  topK: option.number,
  topP: option.number,
};

/**
 * Draws a token. Ties go to the smaller id.
 *
 * @param logits one number per token
 * @throws DataError when no logit is finite
 */
export function sampleToken(logits: ArrayLike<number>, options: Partial<SamplingOptions>, random: Random): number {
  checkArguments('sampleToken', { logits, random }, { logits: option.numbers, random: randomKind });
  const { temperature, topK, topP } = parseConfiguration(samplingSchema, options ?? {}, 'the options of sampleToken');
  const ranked = Array.from(logits, (logit, id) => ({ id, logit })).filter(
    ({ logit }) => logit !== Number.NEGATIVE_INFINITY,
  );
  ranked.sort((a, b) => b.logit - a.logit || a.id - b.id);
  if (ranked.length === 0 || ranked.some(({ logit }) => !Number.isFinite(logit))) {
    throw new DataError(
      'sampleToken: the logits are not finite; the model is broken, go back to an earlier checkpoint.',
    );
  }
  if (temperature === 0) return ranked[0].id;
  if (topK > 0) ranked.length = Math.min(topK, ranked.length);
  const weights = ranked.map(({ logit }) => Math.exp((logit - ranked[0].logit) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let kept = 0;
  let count = 0;
  while (count < weights.length && (count === 0 || kept < topP * total)) kept += weights[count++];
  let point = random.uniform() * kept;
  for (let i = 0; i < count; i++) {
    point -= weights[i];
    if (point < 0) return ranked[i].id;
  }
  return ranked[count - 1].id;
}
