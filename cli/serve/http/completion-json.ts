import { randomUUID } from 'node:crypto';
import type { Completion, CompletionEvent, Usage } from '../completion.ts';
import { logProbabilitiesToJson, type TokenLogProbability } from '../engine/log-probabilities.ts';
import type { TextModel } from '../engine/text-model.ts';
import { toApiError } from '../errors.ts';
import { type CompletionBody, listOf } from './schemas.ts';

/** Answers to `POST /v1/completions` in OpenAI's form, whole or as server-sent events. */
export class CompletionJson {
  readonly #common: { id: string; object: 'text_completion'; created: number; model: string };
  /** What `echo` puts before each choice. */
  readonly #echoes: readonly string[];

  constructor(
    served: TextModel,
    readonly body: CompletionBody,
    readonly completion: Completion,
  ) {
    const created = Math.floor(Date.now() / 1000);
    this.#common = { id: `cmpl-${randomUUID()}`, object: 'text_completion', created, model: served.name };
    this.#echoes = listOf(body.prompt).map((prompt) => {
      if (!body.echo) return '';
      return typeof prompt === 'string' ? prompt : served.tokenizer.decode(prompt);
    });
  }

  /** @throws what the completion throws */
  async whole(): Promise<object> {
    const { n } = this.body;
    const choices = Array.from({ length: this.#echoes.length * n }, (_, index) => ({
      text: this.#echo(index),
      entries: [] as TokenLogProbability[],
      reason: undefined as CompletionEvent['finishReason'],
    }));
    for await (const { index, piece, finishReason } of this.completion) {
      const choice = choices[index];
      choice.reason = finishReason;
      if (!piece) continue;
      choice.text += piece.text;
      choice.entries.push(...piece.logProbabilities);
    }
    return {
      ...this.#common,
      choices: choices.map(({ text, entries, reason }, index) => this.#choice(index, text, entries, reason)),
      usage: usageJson(this.completion.usage),
    };
  }

  /** The events of a stream, as they go over the wire. An error after its start becomes an event, and its end. */
  async *stream(): AsyncGenerator<string, void, undefined> {
    const withUsage = this.body.stream_options?.include_usage === true;
    const chunk = (choices: object[], usage: object | null) =>
      serverSentEvent({ ...this.#common, choices, ...(withUsage && { usage }) });
    try {
      if (this.body.echo) {
        for (let index = 0; index < this.#echoes.length * this.body.n; index++) {
          yield chunk([this.#choice(index, this.#echo(index), [])], null);
        }
      }
      for await (const { index, piece, finishReason } of this.completion) {
        const choice = this.#choice(index, piece?.text ?? '', piece?.logProbabilities ?? [], finishReason);
        yield chunk([choice], null);
      }
      if (withUsage) yield chunk([], usageJson(this.completion.usage));
      yield 'data: [DONE]\n\n';
    } catch (error) {
      yield serverSentEvent(toApiError(error));
    }
  }

  #echo(index: number): string {
    return this.#echoes[Math.floor(index / this.body.n)];
  }

  #choice(
    index: number,
    text: string,
    entries: readonly TokenLogProbability[],
    reason?: CompletionEvent['finishReason'],
  ): object {
    const logprobs = this.body.logprobs === undefined ? null : logProbabilitiesToJson(entries);
    return { index, text, logprobs, finish_reason: reason ?? null };
  }
}

function usageJson({ promptTokens, cachedTokens, completionTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** JSON has no line breaks of its own, so that one line of data is enough. */
function serverSentEvent(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
