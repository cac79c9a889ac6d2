import { randomInt } from 'node:crypto';
import { streams } from '../../../src/entries/internal.ts';
import { Random } from '../../../src/entries/performers.ts';
import { type Classification, classify } from '../classification.ts';
import { Completion } from '../completion.ts';
import { type Embeddings, embed } from '../embeddings.ts';
import { ApiError, badRequest, noRetry } from '../errors.ts';
import { type ClassificationBody, type CompletionBody, type EmbeddingBody, listOf } from '../http/schemas.ts';
import { Admission } from './admission.ts';
import type { Limits } from './limits.ts';
import { Scheduler } from './scheduler.ts';
import { type SessionLease, Sessions } from './sessions.ts';
import type { TextModel } from './text-model.ts';

/** Completions and embeddings of one model for many clients at once. Knows nothing of HTTP but the errors' status. */
export class Engine {
  readonly admission: Admission;
  readonly scheduler: Scheduler;
  readonly sessions: Sessions;

  constructor(
    readonly served: TextModel,
    readonly limits: Limits,
  ) {
    this.admission = new Admission(limits.concurrency, limits.queue);
    this.scheduler = new Scheduler(served.model);
    this.sessions = new Sessions(limits.sessions, limits.sessionIdle);
  }

  /**
   * Starts a completion once there is a place for it.
   *
   * @throws {ApiError} when it cannot be made; the signal's reason when that aborts first
   */
  async complete(body: CompletionBody, signal: AbortSignal): Promise<Completion> {
    this.#checkModel(body.model);
    this.served.requireGenerator();
    checkCombinations(body);
    const prompts = listOf(body.prompt).map((prompt) =>
      this.served.encode(prompt, 'prompt', { mayBeEmpty: body.session !== undefined }),
    );
    const lease = this.#lease(body, prompts);
    let leave: (() => void) | undefined;
    try {
      this.#checkLengths(body, prompts, lease);
      leave = await this.admission.enter(prompts.length * body.n, signal);
      const completion = this.#start(body, prompts, lease, signal);
      const release = leave;
      void completion.done.then(() => {
        lease?.release();
        release();
      });
      return completion;
    } catch (error) {
      lease?.release();
      leave?.();
      throw error;
    }
  }

  /** @throws {ApiError} when it cannot be made; the signal's reason when that aborts first */
  async embed(body: EmbeddingBody, signal: AbortSignal): Promise<Embeddings> {
    return this.#admitted(body.model, signal, () => embed(this, body, signal));
  }

  /** @throws {ApiError} when it cannot be made; the signal's reason when that aborts first */
  async classify(body: ClassificationBody, signal: AbortSignal): Promise<Classification> {
    return this.#admitted(body.model, signal, () => classify(this, body, signal));
  }

  async #admitted<T>(model: string | undefined, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.#checkModel(model);
    const leave = await this.admission.enter(1, signal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** @throws {ApiError} 404 for a model that is not served */
  modelNamed(name: string): TextModel {
    this.#checkModel(name);
    return this.served;
  }

  /** Frees the sessions; nothing may be at work. */
  close(): void {
    this.scheduler.close();
    this.sessions.close();
  }

  #start(
    body: CompletionBody,
    prompts: readonly Int32Array[],
    lease: SessionLease | undefined,
    signal: AbortSignal,
  ): Completion {
    const { max_tokens, temperature, top_p, top_k, stop, seed, logprobs, n } = body;
    const options = {
      maxTokens: max_tokens,
      sampling: { temperature, topP: top_p, topK: top_k },
      stops: stop,
      logprobs,
    };
    const random = (choice: number) => {
      const root = new Random(seed ?? randomInt(2 ** 47), streams.sampling);
      return choice === 0 ? root : root.fork(choice);
    };
    return new Completion(this.served, this.scheduler, { prompts, n, options, random, lease }, signal);
  }

  #lease({ session, session_tokens }: CompletionBody, prompts: readonly Int32Array[]): SessionLease | undefined {
    if (session === undefined) return undefined;
    const lease = this.sessions.lease(session);
    const held = lease.past?.position ?? 0;
    if (session_tokens !== undefined && session_tokens !== held) {
      lease.release();
      throw new ApiError(
        409,
        `Session ${session} holds ${held} tokens, not ${session_tokens}: send its whole text to a new one.`,
        {
          param: 'session_tokens',
          code: 'session_mismatch',
          headers: noRetry,
        },
      );
    }
    if (held === 0 && prompts[0].length === 0) {
      lease.release();
      throw badRequest(`Session ${session} holds nothing yet, so the prompt needs at least one token.`, 'prompt');
    }
    return lease;
  }

  #checkLengths({ max_tokens }: CompletionBody, prompts: readonly Int32Array[], lease: SessionLease | undefined): void {
    const held = lease?.past?.position ?? 0;
    const { maxTokens } = this.limits;
    const { maxLength, hasConstantState } = this.served;
    for (const { length } of prompts) {
      const asked = `${length} tokens of prompt and ${max_tokens} of completion`;
      const counted = length + max_tokens + (hasConstantState ? 0 : held);
      if (counted > maxTokens || held + length + max_tokens > maxLength) {
        const most = Math.min(maxTokens, maxLength);
        const past = held > 0 ? `, after ${held} in the session,` : '';
        throw badRequest(`${asked}${past} are more than the ${most} allowed.`, 'prompt', 'context_length_exceeded');
      }
    }
  }

  #checkModel(name: string | undefined): void {
    if (name === undefined || name === this.served.name) return;
    throw new ApiError(
      404,
      `There is no model ${JSON.stringify(name)} here, only ${JSON.stringify(this.served.name)}.`,
      {
        param: 'model',
        code: 'model_not_found',
      },
    );
  }
}

function checkCombinations({
  prompt,
  n,
  best_of,
  echo,
  logprobs,
  session,
  session_tokens,
  stream,
  stream_options,
}: CompletionBody): void {
  const refuse = (field: string, reason: string) => {
    throw badRequest(`The field ${field} cannot be honoured: ${reason}.`, field, 'unsupported_parameter');
  };
  if (best_of !== undefined && best_of !== n)
    refuse('best_of', 'all completions made are returned, so it must equal n');
  if (echo && logprobs !== undefined) refuse('logprobs', 'an echoed prompt has no log-probabilities');
  if (session !== undefined && (n > 1 || listOf(prompt).length > 1)) {
    refuse('session', 'a session continues with one completion of one prompt');
  }
  if (session === undefined && session_tokens !== undefined) refuse('session_tokens', 'there is no session');
  if (stream_options && !stream) refuse('stream_options', 'the answer is not streamed');
}
