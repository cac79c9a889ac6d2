import type { LoadedModel, Transformer } from '../../../src/entries/performers.ts';
import { ConfigurationError } from '../../../src/entries/performers.ts';
import type { Tokenizer } from '../../../src/entries/tokenizers.ts';
import { badRequest } from '../errors.ts';

/** The model that is served, under the name that clients know it by. */
export class TextModel {
  /** Seconds since 1970. */
  readonly created = Math.floor(Date.now() / 1000);

  /** @throws ConfigurationError when it does not read text */
  constructor(
    readonly name: string,
    readonly model: Transformer,
    readonly tokenizer: Tokenizer,
    private readonly known: Pick<LoadedModel, 'classNames' | 'sentenceLength'> = {},
  ) {
    if (model.configuration.patches) {
      throw new ConfigurationError('This model reads images; performers serve needs one that reads text.');
    }
  }

  /** Longest sequence that the model's positions allow. */
  get maxLength(): number {
    const { positions, maxLength } = this.model.configuration;
    return positions === 'learned' ? maxLength : Number.POSITIVE_INFINITY;
  }

  /** Names of the classes, in order; `LABEL_0` and so on, as other libraries call classes without a name. */
  get classNames(): readonly string[] {
    const { numClasses = 0 } = this.model.configuration;
    return this.known.classNames ?? Array.from({ length: numClasses }, (_, index) => `LABEL_${index}`);
  }

  /** The past takes the same memory whatever its length. */
  get hasConstantState(): boolean {
    const { attention, exactLayers } = this.model.configuration;
    return attention.type === 'favor' && exactLayers.length === 0;
  }

  /** @throws {ApiError} 400 when it cannot generate */
  requireGenerator(): void {
    const { causal, languageHead, numClasses } = this.model.configuration;
    if (!causal || !languageHead) {
      const reason = causal ? 'has no language head' : 'is bidirectional';
      const path = numClasses === undefined ? '/v1/embeddings' : '/v1/classify or /v1/embeddings';
      throw badRequest(`The model ${this.name} ${reason}, so it cannot complete text: ask ${path}.`, 'model');
    }
  }

  /**
   * @param framed with the special tokens around a text that its tokenizer knows, such as `[CLS]` and `[SEP]`
   * @param asDocument where the tokenizer has no tokens for around a text: adds those that training puts around a
   *   document
   * @throws {ApiError} 400 for ids outside the vocabulary, and for texts without tokens unless `mayBeEmpty`
   */
  encode(
    input: string | readonly number[],
    field: string,
    { framed = false, asDocument = false, mayBeEmpty = false } = {},
  ): Int32Array {
    const plain = typeof input === 'string' ? this.tokenizer.encode(input, { framed }) : input;
    const ids = asDocument && typeof input === 'string' ? this.#documentOf(plain) : plain;
    // Special tokens may be beyond the model's rows.
    const vocabSize = Math.min(this.tokenizer.vocabSize, this.model.configuration.vocabSize);
    const isUnknown = (id: number) => !(id >= 0 && id < vocabSize);
    // As they were sent: in 32 bits, 2^32 would be token 0.
    const wrong = typeof input === 'string' ? ids.find(isUnknown) : input.find(isUnknown);
    if (wrong !== undefined) {
      throw badRequest(`Token ${wrong} in ${field} is outside the vocabulary of ${vocabSize}.`, field);
    }
    if ((ids.length === 0 || input === '') && !mayBeEmpty) {
      throw badRequest(`A text in ${field} is empty: give at least one token.`, field);
    }
    // Only now, as an Int32Array takes 2³² for 0.
    return Int32Array.from(ids);
  }

  /**
   * A text that is to become a vector, framed, and cut where the model's own library cuts texts: the last tokens are left out.
   *
   * @throws {ApiError} 400 as {@link encode} does, and for ids beyond that length
   */
  encodeSentence(input: string | readonly number[], field: string): Int32Array {
    const ids = this.encode(input, field, { framed: true });
    const { sentenceLength: most } = this.known;
    if (most === undefined || ids.length <= most) return ids;
    if (typeof input !== 'string') {
      const message = `An input has ${ids.length} tokens; this model's max_seq_length is ${most}.`;
      throw badRequest(message, field, 'context_length_exceeded');
    }
    const plain = this.encode(input, field, {});
    const numFrame = ids.length - plain.length;
    const start = Array.from({ length: numFrame + 1 }, (_, i) => i).find((i) =>
      plain.every((id, j) => id === ids[i + j]),
    );
    const end = (start ?? 0) + plain.length;
    const kept = ids.subarray(0, Math.max(0, end - (ids.length - most)));
    return Int32Array.from([...kept, ...ids.subarray(end)]);
  }

  #documentOf(ids: readonly number[] | Int32Array): readonly number[] | Int32Array {
    const { specialTokens, endOfText } = this.tokenizer;
    const hasFrame = this.tokenizer.encode('', { framed: true }).length > 0;
    if (hasFrame) return ids;
    return Int32Array.from([specialTokens.beginning, ...ids, endOfText].filter((id) => id !== undefined));
  }
}
