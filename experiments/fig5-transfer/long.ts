import { type Backend, createBackend, scope, type TransformerOptions, tensor } from '../../src/entries/performers.ts';
import { createPretrained } from '../../src/entries/pretrained.ts';
import { cosine } from '../embeddings.ts';
import { type ExperimentContext, pause } from '../experiment.ts';
import { median } from '../results/statistics.ts';
import type { Fig5TransferConfiguration } from './configuration.ts';
import { cut, openEncoder, type SentenceEncoder } from './minilm.ts';

/** A pass over one long text. */
export interface LongPass {
  readonly tokens: number;
  /** Median, from token ids to the embedding. */
  readonly seconds: number;
  /** The most that the backend held beyond the weights. */
  readonly bytes: number;
}

export interface LongTexts {
  readonly exact: readonly LongPass[];
  readonly performer: readonly LongPass[];
  /** Cosine of the two embeddings of each text, before finetuning. */
  readonly cosines: readonly number[];
}

/** Time and memory of the encoder over long texts, with exact attention and with the finetuned model's. */
export async function measureLong(
  folder: string,
  text: readonly string[],
  { long, attention, training }: Fig5TransferConfiguration,
  context: ExperimentContext,
): Promise<LongTexts> {
  const { lengths, repetitions } = long;
  const encoder = await openEncoder(folder, Math.max(...lengths));
  const ids = await longText(encoder, text, Math.max(...lengths));
  const options = { lengths, repetitions, ids, seed: training.seed };
  const part = (start: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done / 2, what),
  });
  const performer = await measure(encoder, attention as TransformerOptions['attention'], options, part(0));
  const exact = await measure(encoder, 'exact', options, part(0.5));
  return {
    exact: exact.passes,
    performer: performer.passes,
    cosines: exact.vectors.map((vector, i) => cosine(vector, performer.vectors[i])),
  };
}

/** One text of a number of tokens, between the special tokens of a sentence. */
async function longText({ encode }: SentenceEncoder, text: readonly string[], length: number): Promise<Int32Array> {
  const framed = encode(text[0]);
  const inner = text.flatMap((sentence) => [...encode(sentence).slice(1, -1)]);
  if (inner.length < length - 2)
    throw new Error(`The text has ${inner.length} tokens, fewer than ${length}: give more.`);
  return Int32Array.from([framed[0], ...inner.slice(0, length - 2), framed[framed.length - 1]]);
}

async function measure(
  { pretrained }: SentenceEncoder,
  attention: TransformerOptions['attention'],
  {
    lengths,
    repetitions,
    ids,
    seed,
  }: { lengths: readonly number[]; repetitions: number; ids: Int32Array; seed: number },
  { backend: like, progress, signal }: ExperimentContext,
): Promise<{ passes: LongPass[]; vectors: Float64Array[] }> {
  const backend = await backendLike(like);
  try {
    const model = createPretrained(backend, pretrained, { attention, seed });
    const own = backend.bytesAllocated;
    const passes: LongPass[] = [];
    const vectors: Float64Array[] = [];
    for (const [i, tokens] of lengths.entries()) {
      const name = attention === 'exact' ? 'exact attention' : 'FAVOR+';
      progress(i / lengths.length, `${name}, ${tokens} tokens`);
      backend.trim();
      const input = cut(ids, tokens);
      const seconds: number[] = [];
      let vector = new Float64Array(0);
      for (let repetition = 0; repetition <= repetitions; repetition++) {
        const start = performance.now();
        const out = scope(() => model.pool(model.forward(tensor(backend, input, [1, tokens]))));
        vector = Float64Array.from(await out.data());
        out.dispose();
        // The first pass pays for memory that is touched for the first time.
        if (repetition > 0) seconds.push((performance.now() - start) / 1000);
        await pause(signal);
      }
      passes.push({ tokens, seconds: median(seconds), bytes: backend.bytesAllocated - own });
      vectors.push(vector);
    }
    return { passes, vectors };
  } finally {
    backend.close();
  }
}

/** A backend of the same kind, so that its memory can be told apart. */
function backendLike({ name, numThreads }: Backend): Promise<Backend> {
  return createBackend({ backend: name, numThreads });
}
