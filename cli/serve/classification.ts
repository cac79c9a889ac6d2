import { badRequest } from './errors.ts';
import { type ClassificationBody, listOf } from './http/schemas.ts';
import { type InputReader, readEach } from './read-inputs.ts';

export interface Classification {
  readonly results: readonly {
    /** Name of the likeliest class. */
    readonly label: string;
    /** Probability of each class, in order of the classes. */
    readonly probabilities: readonly number[];
  }[];
  readonly numTokens: number;
}

/**
 * The class of each input, read as in training: between the special tokens of its tokenizer.
 *
 * @throws {ApiError} 400 for a model without classes, and for inputs that are empty or too long; the signal's reason when it aborts
 */
export async function classify(
  reader: InputReader,
  body: ClassificationBody,
  signal: AbortSignal,
): Promise<Classification> {
  const { served } = reader;
  const { model } = served;
  if (model.configuration.numClasses === undefined) {
    throw badRequest(`The model ${served.name} has no classes: ask for completions or embeddings.`, 'model');
  }
  const inputs = listOf(body.input).map((input) => served.encode(input, 'input', { framed: true, asDocument: true }));
  const classify = (...given: Parameters<typeof model.classify>) => model.classify(...given);
  const { rows, numTokens } = await readEach(inputs, reader, signal, classify);
  const results = rows.map((logits) => {
    const probabilities = softmax(logits);
    return { label: served.classNames[probabilities.indexOf(Math.max(...probabilities))], probabilities };
  });
  return { results, numTokens };
}

/** The answer to `POST /v1/classify` in vLLM's form. */
export function classificationJson({ results, numTokens }: Classification, model: string): object {
  const data = results.map(({ label, probabilities }, index) => {
    return { index, label, probs: probabilities, num_classes: probabilities.length };
  });
  return { object: 'list', data, model, usage: { prompt_tokens: numTokens, total_tokens: numTokens } };
}

function softmax(logits: ArrayLike<number>): number[] {
  const most = Math.max(...Array.from(logits));
  const weights = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
