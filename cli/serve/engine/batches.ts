import { type DecodingState, scope, type Transformer, tensor } from '../../../src/entries/performers.ts';
import type { Sequence } from './sequence.ts';

/**
 * Sequences that one pass through the model serves: its weights are read once for all of them. Batches are of 32, 16, 8, 4, 2 or 1, so that
 * memory freed by one serves another.
 */
const maxBatch = 32;

/**
 * Sequences that decode together. Rows of ended sequences stay until half are empty, as taking rows out copies the
 * others.
 */
export class Batch {
  readonly #rows: (Sequence | undefined)[];
  readonly #states: DecodingState[];

  /** Takes over the states of `sequences`, each of which has one token pending. */
  constructor(
    readonly model: Transformer,
    sequences: readonly Sequence[],
  ) {
    this.#rows = [...sequences];
    const parts = sequences.map(({ states }) => states!);
    this.#states = parts.length === 1 ? parts[0] : model.stackStates(parts);
    for (const sequence of sequences) sequence.states = undefined;
    if (parts.length > 1) for (const state of parts.flat()) state.dispose();
  }

  get sequences(): Sequence[] {
    return this.#rows.filter((row) => row !== undefined);
  }

  get isSparse(): boolean {
    return 2 * this.sequences.length <= this.#rows.length;
  }

  /** Feeds every sequence its token. */
  async step(): Promise<void> {
    const { backend } = this.model;
    const ids = Int32Array.from(this.#rows, (row) => row?.pending[0] ?? 0);
    const logits = scope(() => this.model.extend(tensor(backend, ids, [ids.length, 1]), this.#states));
    try {
      const numbers = await logits.data();
      const width = numbers.length / ids.length;
      this.#rows.forEach((row, i) => {
        if (!row || row.isDone) return;
        try {
          row.accept(1, numbers.subarray(i * width, (i + 1) * width));
        } catch (error) {
          row.fail(error);
        }
      });
    } finally {
      logits.dispose();
    }
  }

  /** Takes out the sequences that are done, with their states if they want them. */
  removeDone(): Sequence[] {
    return this.#rows.flatMap((row, i) => {
      if (!row?.isDone) return [];
      if (row.needsStates) row.states = this.#row(i);
      this.#rows[i] = undefined;
      return [row];
    });
  }

  /** Ends the batch: its sequences have their states again. */
  dissolve(): Sequence[] {
    const { sequences } = this;
    if (sequences.length === 1 && this.#rows.length === 1) {
      sequences[0].states = this.#states;
      return sequences;
    }
    this.#rows.forEach((row, i) => {
      if (row) row.states = this.#row(i);
    });
    this.dispose();
    return sequences;
  }

  dispose(): void {
    for (const state of this.#states) state.dispose();
  }

  #row(i: number): DecodingState[] {
    return this.#states.map((state) => state.slice(i, i + 1));
  }
}

/** Which sequences decode together. */
export class Batches {
  readonly #batches = new Set<Batch>();
  readonly #needsEqualPositions: boolean;

  constructor(readonly model: Transformer) {
    const { positions, attention, exactLayers } = model.configuration;
    // Keys of a near field are kept in blocks, which start alike for sequences that decode together.
    const hasSums = attention.type === 'favor' && !attention.nearField;
    this.#needsEqualPositions = positions !== 'none' || !hasSums || exactLayers.length > 0;
  }

  [Symbol.iterator](): Iterator<Batch> {
    return [...this.#batches][Symbol.iterator]();
  }

  /** Takes in sequences that have their states and one token pending; they join small batches at their position. */
  add(sequences: readonly Sequence[]): void {
    const arrived = new Map<number, Sequence[]>();
    for (const sequence of sequences) append(arrived, this.#key(sequence), sequence);
    // Where sequences arrive, and where rows are empty, batches that are at most half full are made anew.
    for (const batch of this.#batches) {
      const [first] = batch.sequences;
      const group = first && arrived.get(this.#key(first));
      if (!batch.isSparse && !(group && 2 * batch.sequences.length <= maxBatch)) continue;
      this.#batches.delete(batch);
      for (const sequence of batch.dissolve()) append(arrived, this.#key(sequence), sequence);
    }
    for (const group of arrived.values()) {
      for (let start = 0, size = maxBatch; start < group.length; start += size) {
        while (size > group.length - start) size /= 2;
        this.#batches.add(new Batch(this.model, group.slice(start, start + size)));
      }
    }
  }

  /** Frees a batch that has no sequences any more. */
  drop(batch: Batch): void {
    this.#batches.delete(batch);
    batch.dispose();
  }

  #key({ position }: Sequence): number {
    return this.#needsEqualPositions ? position : 0;
  }
}

function append(groups: Map<number, Sequence[]>, key: number, sequence: Sequence): void {
  const group = groups.get(key);
  if (group) group.push(sequence);
  else groups.set(key, [sequence]);
}
