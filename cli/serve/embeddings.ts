import type { Limits } from './engine/limits.ts';
import type { Scheduler } from './engine/scheduler.ts';
import type { TextModel } from './engine/text-model.ts';
import { badRequest } from './errors.ts';
import { type EmbeddingBody, listOf } from './http/schemas.ts';
import { checkInputLengths, readEach } from './read-inputs.ts';

export interface Embeddings {
  /** One of unit length for each input. */
  readonly vectors: readonly Float32Array[];
  readonly numTokens: number;
}

/**
 * Pooled hidden states, scaled to length 1. Each input goes through the model alone, so its vector does not depend on the others.
 *
 * @throws {ApiError} 400 for inputs that are empty or too long; the signal's reason when it aborts
 */
export async function embed(
  served: TextModel,
  body: EmbeddingBody,
  limits: Pick<Limits, 'maxTokens'>,
  scheduler: Scheduler,
  signal: AbortSignal,
): Promise<Embeddings> {
  const { model } = served;
  const { dModel } = model.configuration;
  if (body.dimensions !== undefined && body.dimensions !== dModel) {
    throw badRequest(`This model's embeddings have ${dModel} dimensions and no others.`, 'dimensions');
  }
  const inputs = listOf(body.input).map((input) => served.encodeSentence(input, 'input'));
  checkInputLengths(inputs, served, limits);
  const pooled = await readEach(inputs, served, scheduler, signal, (hidden, options) => model.pool(hidden, options));
  const vectors = pooled.map(normalised);
  return { vectors, numTokens: inputs.reduce((sum, { length }) => sum + length, 0) };
}

/** `x/‖x‖`; zeros stay zeros. */
export function normalised(x: ArrayLike<number>): Float32Array {
  const norm = Math.hypot(...Array.from(x));
  return Float32Array.from(x, (value) => (norm === 0 ? 0 : value / norm));
}
