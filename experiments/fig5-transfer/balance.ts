import { readWeights } from '../../src/entries/layers.ts';
import type { Backend } from '../../src/entries/performers.ts';
import { balanceAttention, createPretrained } from '../../src/entries/pretrained.ts';
import { padded, type SentenceEncoder } from './minilm.ts';

/**
 * The encoder with queries and keys balanced: it gives the same under exact attention, and FAVOR+ estimates it better.
 *
 * @param texts to balance on: `count` of them, spread evenly
 */
export async function balancedEncoder(
  backend: Backend,
  encoder: SentenceEncoder,
  texts: readonly string[],
  count: number,
  batchSize: number,
): Promise<SentenceEncoder> {
  const model = createPretrained(backend, encoder.pretrained);
  try {
    const ids = Array.from({ length: Math.min(count, texts.length) }, (_, i) =>
      encoder.encode(texts[Math.floor((i * texts.length) / count)]),
    );
    const starts = Array.from({ length: Math.ceil(ids.length / batchSize) }, (_, batch) => batch * batchSize);
    await balanceAttention(
      model,
      starts.map((start) => padded(ids.slice(start, start + batchSize))),
    );
    return { ...encoder, pretrained: { ...encoder.pretrained, weights: await readWeights(model) } };
  } finally {
    model.dispose();
  }
}
