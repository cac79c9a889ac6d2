import {
  type Backend,
  createBackend,
  languageModelLoss,
  ops,
  scope,
  Transformer,
  type TransformerOptions,
  tensor,
  valueAndGradients,
} from '../../src/entries/performers.ts';
import { mean } from '../results/statistics.ts';
import type { Fig3Configuration, ModelSizes } from './configuration.ts';
import type { AttentionName, Cost, Pass } from './curve.ts';

/** An attention as a model's configuration names it; that of the bar "X" takes the place of exact attention. */
export function attentionOf(
  type: AttentionName,
  { numFeatures, numHashes, chunkLength, projectedLength }: Fig3Configuration,
): NonNullable<TransformerOptions['attention']> {
  switch (type) {
    case 'favor':
      return { type, numFeatures };
    case 'lsh':
      return { type, numHashes, chunkLength };
    case 'linformer':
      return { type, projectedLength };
    case 'exact':
    case 'identity':
      return { type: 'exact' };
  }
}

/**
 * The bar "X" of the paper's Figure 3: attention returns the values, in no time and without memory. Attending to nothing, it is a
 * bound on the speed of any attention, not a model.
 */
export function returnValues(model: Transformer): void {
  for (const attention of model.attentions)
    attention.attend = (_queries, _keys, values) => ops.reshape(values, values.shape);
}

/** A model of one attention on a backend of its own, so that the memory it takes can be told apart. */
export class Subject {
  readonly #backend: Backend;
  readonly #model: Transformer;
  readonly #ownBytes: number;

  private constructor(backend: Backend, model: Transformer) {
    this.#backend = backend;
    this.#model = model;
    this.#ownBytes = backend.bytesAllocated;
  }

  /**
   * @param like the new backend is of its kind and has as many threads
   * @param longest in tokens; Linformer's projections are as long
   * @throws on the reference backend.
   */
  static async open(
    like: Backend,
    { name, maxLength: _, ...sizes }: ModelSizes,
    attention: AttentionName,
    configuration: Fig3Configuration,
    longest: number,
  ): Promise<Subject> {
    if (like.name === 'reference') {
      throw new Error('The reference backend does not tell its peak of memory: use --backend native or wasm.');
    }
    const { vocabSize, causal, seed } = configuration;
    const backend = await createBackend({ backend: like.name, numThreads: like.numThreads });
    try {
      const model = { ...sizes, maxLength: longest, vocabSize, causal, positions: 'none', dropout: 0 } as const;
      const options = { ...model, attention: attentionOf(attention, configuration) };
      const transformer = new Transformer(backend, options, seed);
      if (attention === 'identity') returnValues(transformer);
      return new Subject(backend, transformer);
    } catch (error) {
      backend.close();
      throw error;
    }
  }

  /**
   * One pass from token ids to the loss, or on to the gradients of all parameters.
   *
   * @returns its time, the most that the backend has held beyond the parameters since the last trim, and the mean loss
   *   in nats
   */
  async run(pass: Pass, ids: Int32Array, targets: Int32Array): Promise<Cost & { loss: number }> {
    const start = performance.now();
    const losses = scope(() => {
      const [x, y] = [ids, targets].map((tokens) => tensor(this.#backend, tokens, [1, tokens.length]));
      const loss = () => languageModelLoss(this.#model, x, y).loss;
      return pass === 'forward' ? loss() : valueAndGradients(loss, [...this.#model.parameters().values()]).value;
    });
    const values = await losses.data();
    const seconds = (performance.now() - start) / 1000;
    losses.dispose();
    return { seconds, bytes: this.#backend.bytesAllocated - this.#ownBytes, loss: mean(values) };
  }

  /** Gives the memory of passes back. */
  trim(): void {
    this.#backend.trim();
  }

  /** Gives all of its memory back. */
  close(): void {
    this.#backend.close();
  }
}
