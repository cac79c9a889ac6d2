import type { FloatArray } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { type OptionKinds, option } from '../../base/options.ts';
import { permute } from '../../base/random.ts';
import type { FeatureTensors } from '../../tensor/ops/attention/favor.ts';
import { favorCausal } from '../../tensor/ops/attention/favor-causal.ts';
import { scope } from '../../tensor/scope.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { FavorState } from '../decoding/favor-state.ts';
import { favorAttention, type NearFieldChoice } from '../favor.ts';
import { attendOptions } from '../options.ts';
import { attentionInputs, denseSequences } from '../packing.ts';
import type { AttendOptions } from '../types.ts';
import { finishRows, type HeadRows, RowReader } from './attention-rows.ts';
import { ExactWeights } from './attention-weights.ts';

/** Which queries an estimate is measured on. */
export interface MeasureOptions extends Omit<AttendOptions, 'normalised'> {
  /** How many queries are measured, drawn without replacement, the same for every batch row and head. Default 128. */
  readonly maxRows?: number | undefined;
  /** Which of them: an integer in [0, 2^53). Default 0. */
  readonly seed?: number | undefined;
  /** Stops the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export const measureOptions: OptionKinds<MeasureOptions> = {
  causal: option.boolean,
  offset: option.number,
  layout: option.oneOf('bhld', 'blhd'),
  keyMask: attendOptions.keyMask,
  segments: option.array,
  keySegments: option.array,
  maxRows: option.number,
  seed: option.natural,
  signal: option.signal,
};

/** A near field with the gains of its heads as numbers. */
export interface MeasuredNearField {
  readonly choice: Omit<NearFieldChoice, 'gain'>;
  readonly gains: FloatArray | undefined;
}

/** Exact attention at some queries, to compare estimates with. */
export class MeasuredOutputs {
  private constructor(
    readonly reader: RowReader,
    /** Positions of the queries, rising. */
    readonly rows: readonly number[],
    readonly queries: Tensor,
    private readonly options: AttendOptions,
    private readonly values: FloatArray,
    private readonly dValue: number,
    readonly pauses: Pauses,
  ) {}

  static async open(queries: Tensor, keys: Tensor, values: Tensor, options: MeasureOptions): Promise<MeasuredOutputs> {
    const { maxRows = 128, seed = 0, signal, ...attend } = options;
    const pauses = new Pauses(signal);
    await pauses.next();
    if (!Number.isInteger(maxRows) || maxRows < 1) {
      throw new ConfigurationError(`maxRows is ${maxRows}; give the number of queries to measure, at least 1.`);
    }
    const reader = await RowReader.open(queries, keys, attend, pauses);
    await pauses.next();
    const data = await values.data();
    const { lengthQ } = reader.sizes;
    const count = Math.min(maxRows, lengthQ);
    const rows = Array.from({ length: count }, (_, i) => (count === lengthQ ? i : permute(i, lengthQ, seed)));
    rows.sort((a, b) => a - b);
    return new MeasuredOutputs(reader, rows, queries, attend, data, values.shape[3], pauses);
  }

  /** Exact weights of one head, not yet normalised. O(rows·lengthK·dHead). */
  exactWeights(batch: number, head: number): Promise<HeadRows> {
    const { reader } = this;
    return reader.headRows(batch, head, this.rows, new ExactWeights(reader.sizes.dHead), this.pauses);
  }

  /** Exact rows of one head. O(rows·lengthK·dHead). */
  async exactRows(batch: number, head: number): Promise<HeadRows> {
    const found = await this.exactWeights(batch, head);
    await finishRows(found, undefined, this.pauses);
    return found;
  }

  /** Rows of one head times its values: `[rows, dValue]`. */
  async output(batch: number, head: number, { weights }: HeadRows): Promise<Float64Array> {
    const { dValue } = this;
    const { lengthK } = this.reader.sizes;
    const out = new Float64Array(this.rows.length * dValue);
    const values = this.reader.gather(this.values, lengthK, dValue, batch, head, range(lengthK));
    for (let row = 0; row < this.rows.length; row++) {
      if (this.pauses.isDue) await this.pauses.next();
      for (let j = 0; j < lengthK; j++) {
        const weight = weights[row * lengthK + j];
        if (weight === 0) continue;
        for (let c = 0; c < dValue; c++) out[row * dValue + c] += weight * values[j * dValue + c];
      }
    }
    return out;
  }

  /** Exact attention at the measured queries of every head, by `batch·heads + head`: `[rows, dValue]`. */
  async exactOutputs(): Promise<Float64Array[]> {
    const { batch, heads } = this.reader.sizes;
    const outputs: Float64Array[] = [];
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < heads; head++) outputs.push(await this.output(b, head, await this.exactRows(b, head)));
    }
    return outputs;
  }

  /**
   * What FAVOR+ gives at the measured queries of every head, by `batch·heads + head`: `[rows, dValue]`.
   *
   * @param nearField whose near keys are exact, with the gains as numbers
   */
  async estimates(features: FeatureTensors, nearField?: MeasuredNearField): Promise<Float64Array[]> {
    const { batch, heads } = this.reader.sizes;
    const outputs: Float64Array[] = [];
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < heads; head++) {
        await this.pauses.next();
        outputs.push(
          await (nearField ? this.#estimateWhole(features, b, head, nearField) : this.#estimate(features, b, head)),
        );
      }
    }
    return outputs;
  }

  /** One head, in pieces between which the event loop may turn. Packed segments and shifted queries are taken whole. */
  #estimate(features: FeatureTensors, batch: number, head: number): Promise<Float64Array> {
    const { causal, offset = 0, segments, keySegments = segments } = this.options;
    const { lengthQ, lengthK } = this.reader.sizes;
    const isAligned = !causal || (offset === 0 && lengthQ === lengthK);
    return segments || keySegments || !isAligned
      ? this.#estimateWhole(features, batch, head)
      : this.#estimateInPieces(features, batch, head);
  }

  async #estimateWhole(
    features: FeatureTensors,
    batch: number,
    head: number,
    nearField?: MeasuredNearField,
  ): Promise<Float64Array> {
    const { causal, offset, segments, keySegments = segments } = this.options;
    const { lengthQ, lengthK } = this.reader.sizes;
    // Without positions that count, no query changes another, so the measured queries suffice.
    const asked = causal || nearField ? range(lengthQ) : this.rows;
    const data = await scope(() => {
      const [queries, keys, values] = this.#tensors(batch, head, asked, range(lengthK));
      const mask = this.reader.maskOf(batch);
      const { gains, choice } = nearField ?? {};
      const gain = gains && tensor(queries.backend, [gains[head]], [1]);
      const out = favorAttention(queries, keys, values, {
        ...{ causal, offset, features },
        nearField: choice && { ...choice, gain },
        keyMask: mask && [mask],
        segments: segments && [asked.map((row) => segments[batch][row])],
        keySegments: keySegments && [keySegments[batch]],
      });
      return { numbers: out.data() };
    }).numbers;
    const found = new Float64Array(this.rows.length * this.dValue);
    this.#collect(found, data, asked);
    return found;
  }

  /** Feeds keys to a state, and with a causal order queries too, as decoding does; else queries read the state at the end. */
  async #estimateInPieces(features: FeatureTensors, batch: number, head: number): Promise<Float64Array> {
    const { reader, dValue, rows, pauses } = this;
    const { backend } = this.queries;
    const { lengthK, dHead } = reader.sizes;
    const { causal } = this.options;
    const mask = reader.maskOf(batch);
    const found = new Float64Array(rows.length * dValue);
    const state = FavorState.empty(backend, { batch: 1, heads: 1, dHead, dValue }, features.numFeatures);
    const work = features.numFeatures * (dHead + dValue);
    const length = 64 * Math.max(1, Math.floor(pieceWork / work / 64));
    const attend = async (asked: readonly number[], seen: readonly number[]) => {
      await pauses.next();
      const data = await scope(() => {
        const [queries, keys, values] = this.#tensors(batch, head, asked, seen);
        const keyMask = mask && seen.length > 0 ? [mask.slice(seen[0], seen[0] + seen.length)] : undefined;
        const inputs =
          seen.length > 0
            ? attentionInputs(queries, keys, values, { causal, keyMask })
            : ({
                queries,
                keys,
                values,
                layout: 'bhld',
                sequences: denseSequences(backend, 1, asked.length, 0),
              } as const);
        return { numbers: favorCausal(inputs, features, { state: state.arrays }).data() };
      }).numbers;
      this.#collect(found, data, asked);
    };
    try {
      for (let start = 0; start < lengthK; start += length) {
        const seen = range(lengthK).slice(start, start + length);
        await attend(causal ? seen : [], seen);
      }
      for (let start = 0; !causal && start < rows.length; start += length) {
        await attend(rows.slice(start, start + length), []);
      }
    } finally {
      state.dispose();
    }
    return found;
  }

  /** Queries, keys and values of one head at these positions: `[1, 1, positions, width]`. */
  #tensors(batch: number, head: number, asked: readonly number[], seen: readonly number[]): [Tensor, Tensor, Tensor] {
    const { reader, dValue } = this;
    const { backend } = this.queries;
    const { lengthK, dHead } = reader.sizes;
    return [
      tensor(backend, reader.queryRows(batch, head, asked), [1, 1, asked.length, dHead]),
      tensor(backend, reader.keyRows(batch, head, seen), [1, 1, seen.length, dHead]),
      tensor(backend, reader.gather(this.values, lengthK, dValue, batch, head, seen), [1, 1, seen.length, dValue]),
    ];
  }

  /** Puts outputs of the queries at `asked` where the measured rows are. */
  #collect(found: Float64Array, outputs: FloatArray, asked: readonly number[]): void {
    const { dValue } = this;
    const places = new Map(this.rows.map((row, place) => [row, place]));
    asked.forEach((row, i) => {
      const place = places.get(row);
      if (place !== undefined) found.set(outputs.subarray(i * dValue, (i + 1) * dValue), place * dValue);
    });
  }
}

/** Multiply-adds of one piece of an estimate: some 10 ms of one thread. */
const pieceWork = 2 ** 26;

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** ‖estimate − exact‖/‖exact‖ over all numbers of all arrays; 0 if both are all zeros. */
export function relativeError(estimates: readonly Float64Array[], exact: readonly Float64Array[]): number {
  let error = 0;
  let size = 0;
  exact.forEach((array, unit) => {
    array.forEach((value, i) => {
      error += (estimates[unit][i] - value) ** 2;
      size += value ** 2;
    });
  });
  return error === 0 ? 0 : Math.sqrt(error / size);
}

/**
 * The middle of the sorted numbers; the mean of the middle two if there is an even number of them. 0 for an empty list.
 */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) return 0;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
