import { badRequest } from './errors.ts';
import { type EmbeddingBody, listOf } from './http/schemas.ts';
import { type InputReader, readEach } from './read-inputs.ts';

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
export async function embed(reader: InputReader, body: EmbeddingBody, signal: AbortSignal): Promise<Embeddings> {
  const { served } = reader;
  const { model } = served;
  const { dModel } = model.configuration;
  if (body.dimensions !== undefined && body.dimensions !== dModel) {
    throw badRequest(`This model's embeddings have ${dModel} dimensions and no others.`, 'dimensions');
  }
  const inputs = listOf(body.input).map((input) => served.encodeSentence(input, 'input'));
  const { rows, numTokens } = await readEach(inputs, reader, signal, (hidden, options) => model.pool(hidden, options));
  return { vectors: rows.map(normalised), numTokens };
}

/** `x/‖x‖`; zeros stay zeros. */
export function normalised(x: ArrayLike<number>): Float32Array {
  const norm = Math.hypot(...Array.from(x));
  return Float32Array.from(x, (value) => (norm === 0 ? 0 : value / norm));
}
