import type { Embeddings } from '../embeddings.ts';

/** The answer to `POST /v1/embeddings` in OpenAI's form; base64 holds little-endian float32. */
export function embeddingsJson(
  { vectors, numTokens }: Embeddings,
  model: string,
  encoding: 'float' | 'base64',
): object {
  const data = vectors.map((vector, index) => {
    const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    return { object: 'embedding', index, embedding: encoding === 'base64' ? bytes.toString('base64') : [...vector] };
  });
  return { object: 'list', data, model, usage: { prompt_tokens: numTokens, total_tokens: numTokens } };
}
