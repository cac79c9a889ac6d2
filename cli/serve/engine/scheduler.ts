import { pause } from '../../../src/entries/internal.ts';
import { scope, type Transformer, tensor } from '../../../src/entries/performers.ts';
import { type Batch, Batches } from './batches.ts';
import type { Sequence } from './sequence.ts';

/** Prompt tokens fed between two steps of the others: what a long prompt may delay them by. */
const prefillTokens = 256;

/** Milliseconds without work after which cached memory goes back to the system. */
const trimDelay = 1000;

/** Bytes of cached memory, beyond as much as is in use, that are kept while there is work. */
const keptCache = 2 ** 25;

interface Task {
  readonly signal: AbortSignal;
  readonly run: () => Promise<void>;
  readonly reject: (error: unknown) => void;
}

/**
 * Shares the one backend among all requests. Kernels keep the thread to themselves while they run, so the work is cut
 * into small units. A unit is a token for a batch of sequences, a piece of a prompt, or one text to embed. Requests
 * take turns, one unit each. Between any two units the event loop runs: new requests are read, streams written, aborted
 * requests noticed.
 */
export class Scheduler {
  readonly #batches: Batches;
  /** Those that no batch holds, in turn. */
  #prompts: Sequence[] = [];
  readonly #tasks: Task[] = [];
  #running = false;
  #closed = false;
  #numSequences = 0;
  /** When the cache was last given back. */
  #bytesInUse = 0;
  #trimTimer: NodeJS.Timeout | undefined;
  /** Tokens fed since the start. */
  tokensFed = 0;

  constructor(readonly model: Transformer) {
    this.#batches = new Batches(model);
  }

  /** Sequences whose states are held. */
  get numSequences(): number {
    return this.#numSequences;
  }

  /** Takes a sequence, with its states, to its end. */
  add(sequence: Sequence): void {
    this.#numSequences++;
    this.#prompts.push(sequence);
    this.#wake();
  }

  /** Runs one unit of other work, when it is its turn. @throws what `work` throws, or the signal's reason */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#tasks.push({ signal, reject, run: () => work().then(resolve, reject) });
      this.#wake();
    });
  }

  /** After its work is done, the scheduler does not touch the backend. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#trimTimer);
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    clearTimeout(this.#trimTimer);
    void this.#loop();
  }

  async #loop(): Promise<void> {
    // Requests that arrive together start together.
    await pause();
    while (this.#numSequences > 0 || this.#tasks.length > 0) {
      for (const batch of this.#batches) {
        await this.#decode(batch);
        await pause();
      }
      await this.#prefill();
      this.#gather();
      this.#limitCache();
      await this.#runTask();
      await pause();
    }
    this.#running = false;
    if (!this.#closed) this.#trimTimer = setTimeout(() => this.model.backend.trim(), trimDelay).unref();
  }

  async #decode(batch: Batch): Promise<void> {
    this.#removeDone(batch);
    const { sequences } = batch;
    if (sequences.length === 0) return;
    try {
      await batch.step();
      this.tokensFed += sequences.length;
    } catch (error) {
      for (const sequence of sequences) sequence.fail(error);
    }
    this.#removeDone(batch);
  }

  /** An empty batch is freed before anybody hears of an end. */
  #removeDone(batch: Batch): void {
    const done = batch.removeDone();
    if (batch.sequences.length === 0) this.#batches.drop(batch);
    this.#close(done);
  }

  /** Feeds pieces of prompts, those that waited longest first. */
  async #prefill(): Promise<void> {
    let budget = prefillTokens;
    const turn = this.#prompts.filter(({ canJoin }) => !canJoin);
    for (const sequence of turn) {
      if (budget <= 0) break;
      if (sequence.isDone) continue;
      const count = Math.min(sequence.pending.length, prefillTokens);
      try {
        if (count === 0) sequence.start();
        else await this.#feed(sequence, count);
      } catch (error) {
        sequence.fail(error);
      }
      budget -= count;
      // Moves the request to the end of the line.
      this.#prompts = [...this.#prompts.filter((other) => other !== sequence), sequence];
      await pause();
    }
  }

  async #feed(sequence: Sequence, count: number): Promise<void> {
    const ids = sequence.pending.slice(0, count);
    const logits = scope(() => this.model.extend(tensor(this.model.backend, ids, [1, count]), sequence.states!));
    try {
      const numbers = await logits.data();
      this.tokensFed += count;
      if (!sequence.isDone) sequence.accept(count, numbers);
    } finally {
      logits.dispose();
    }
  }

  /** Ends what is done, and lets those with one token to feed decode together. */
  #gather(): void {
    this.#close(this.#prompts.filter(({ isDone }) => isDone));
    const ready = this.#prompts.filter(({ canJoin }) => canJoin);
    this.#prompts = this.#prompts.filter(({ isDone, canJoin }) => !isDone && !canJoin);
    this.#batches.add(ready);
  }

  /** Batches come in many sizes, and the backend keeps freed blocks of each. */
  #limitCache(): void {
    const { backend } = this.model;
    if (backend.bytesAllocated <= 2 * this.#bytesInUse + keptCache) return;
    backend.trim();
    this.#bytesInUse = backend.bytesAllocated;
  }

  async #runTask(): Promise<void> {
    const task = this.#tasks.shift();
    if (task?.signal.aborted) task.reject(task.signal.reason);
    else await task?.run();
  }

  #close(sequences: readonly Sequence[]): void {
    for (const sequence of sequences) {
      this.#numSequences--;
      sequence.close();
    }
  }
}
