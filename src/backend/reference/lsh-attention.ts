/**
 * LSH attention, literally: buckets by the largest of the rotated coordinates, a sort, chunks. Then one softmax for
 * each query over the keys that any hash shows it, with keys `q/√(‖q‖² + dHead·10⁻⁶)`.
 */
import { type Backend, type LshArrays, SEQUENCE_COLUMNS } from '../types.ts';
import { addScaled, dot, rowStart } from './attention-arrays.ts';
import { floats, integers } from './storage.ts';

/** Added to the mean square of a query that serves as a key, as a share of it. */
const normEpsilon = 1e-6;

/** One head of one sequence. */
interface Unit {
  readonly count: number;
  /** Rows of an array `[batch, heads, length, width]`, or in layout `blhd`. */
  rows(array: Float64Array, width: number): Float64Array[];
  /** This unit's part of an array `[batch, heads, length]`, one per hash. */
  part<T extends Float64Array | Int32Array>(array: T, hash?: number): T;
  isValid(i: number): boolean;
}

function* units(args: Omit<LshArrays, 'v' | 'dValue'>): Generator<Unit> {
  const { batch: batches, heads, length, layout, numSequences } = args;
  const sequences = integers(args.sequences, numSequences * SEQUENCE_COLUMNS);
  const mask = args.keyMask && floats(args.keyMask);
  for (let sequence = 0; sequence < numSequences; sequence++) {
    const [batch, start, count] = sequences.subarray(sequence * SEQUENCE_COLUMNS);
    for (let head = 0; head < heads; head++) {
      yield {
        count,
        rows: (array, width) =>
          Array.from({ length: count }, (_, i) => {
            const at = rowStart(layout, heads, length, width, batch, head, start + i);
            return array.subarray(at, at + width);
          }),
        part: <T extends Float64Array | Int32Array>(array: T, hash = 0) => {
          const at = ((hash * batches + batch) * heads + head) * length + start;
          return array.subarray(at, at + count) as T;
        },
        isValid: (i) => mask?.[batch * length + start + i] !== 0,
      };
    }
  }
}

export function lshSort(args: Parameters<Backend['lshSort']>[0]): void {
  const { dHead, causal, chunkLength, numHashes, numRotations, numBuckets } = args;
  const indices = numHashes * args.batch * args.heads * args.length;
  const [orders, allChunks] = [args.order, args.chunks].map((storage) => integers(storage, indices));
  const rotations = floats(args.rotations);
  for (const unit of units(args)) {
    const queries = unit.rows(floats(args.q), dHead);
    const positions = queries.map((_, i) => i);
    const numValid = positions.filter((i) => unit.isValid(i)).length;
    const used = causal ? numBuckets : Math.min(numBuckets, 2 * Math.ceil(Math.max(1, numValid) / chunkLength / 2));
    for (let hash = 0; hash < numHashes; hash++) {
      const rows = Array.from({ length: used / 2 }, (_, r) => {
        const at = (hash * numRotations + r) * dHead;
        return rotations.subarray(at, at + dHead);
      });
      const buckets = queries.map((query, i) => {
        if (!unit.isValid(i)) return used;
        const rotated = rows.map((row) => dot(row, query));
        const all = [...rotated, ...rotated.map((x) => -x)];
        return all.indexOf(Math.max(...all));
      });
      const sorted = [...positions].sort((i, j) => buckets[i] - buckets[j] || i - j);
      unit.part(orders, hash).set(sorted);
      const chunks = unit.part(allChunks, hash);
      let chunk = 0;
      let rank = 0;
      sorted.forEach((i, slot) => {
        const bucket = buckets[i];
        const isApart = slot > 0 && bucket !== buckets[sorted[slot - 1]] && (causal || bucket === used);
        if (isApart || rank === chunkLength) {
          chunk += isApart ? 2 : 1;
          rank = 0;
        }
        rank++;
        chunks[i] = chunk;
      });
    }
  }
}

interface Row {
  readonly weights: Float64Array;
  readonly reference: number;
  readonly sum: number;
  /** The query sees nothing but itself. */
  readonly isAlone: boolean;
}

/** Keys of a unit, and for every query the softmax over what it sees. */
function attend(args: LshArrays & { scale: number }, unit: Unit) {
  const { dHead, causal, scale, numHashes } = args;
  const queries = unit.rows(floats(args.q), dHead);
  const lengths = queries.map((query) => Math.sqrt(dot(query, query) + dHead * normEpsilon));
  const keys = queries.map((query, j) => query.map((x) => x / lengths[j]));
  const count = numHashes * args.batch * args.heads * args.length;
  const chunks = Array.from({ length: numHashes }, (_, hash) => unit.part(integers(args.chunks, count), hash));
  const sees = (i: number, j: number) =>
    unit.isValid(j) &&
    (causal ? j < i : j !== i) &&
    chunks.some((chunk) => chunk[i] === chunk[j] || chunk[i] === chunk[j] + 1);
  const rowOf = (i: number): Row => {
    const scores = Float64Array.from(keys, (key, j) =>
      sees(i, j) ? scale * dot(queries[i], key) : Number.NEGATIVE_INFINITY,
    );
    const reference = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    if (reference === Number.NEGATIVE_INFINITY) {
      return { weights: scores.fill(0), reference: 0, sum: 0, isAlone: unit.isValid(i) };
    }
    const weights = scores.map((score) => Math.exp(score - reference));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { weights: weights.map((weight) => weight / sum), reference, sum, isAlone: false };
  };
  return { queries, keys, lengths, rowOf };
}

export function lshAttention(args: Parameters<Backend['lshAttention']>[0]): void {
  for (const unit of units(args)) {
    const { rowOf } = attend(args, unit);
    const values = unit.rows(floats(args.v), args.dValue);
    const references = unit.part(floats(args.references));
    const sums = unit.part(floats(args.sums));
    unit.rows(floats(args.out), args.dValue).forEach((out, i) => {
      const { weights, reference, sum, isAlone } = rowOf(i);
      out.fill(0);
      if (isAlone) out.set(values[i]);
      weights.forEach((weight, j) => {
        if (weight > 0) addScaled(out, weight, values[j]);
      });
      references[i] = reference / args.scale;
      sums[i] = sum;
    });
  }
}

/** With P the attention matrix and dP_ij = dOut_i · v_j: dS_ij = P_ij (dP_ij − Σ_j P_ij dP_ij). */
export function lshAttentionBackward(args: Parameters<Backend['lshAttentionBackward']>[0]): void {
  const { dHead, dValue, scale } = args;
  for (const unit of units(args)) {
    const { queries, keys, lengths, rowOf } = attend(args, unit);
    const values = unit.rows(floats(args.v), dValue);
    const dQ = unit.rows(floats(args.dQ), dHead);
    const dV = unit.rows(floats(args.dV), dValue);
    const dKeys = keys.map((key) => new Float64Array(key.length));
    for (const row of [...dQ, ...dV]) row.fill(0);
    unit.rows(floats(args.dOut), dValue).forEach((dOut, i) => {
      const { weights, isAlone } = rowOf(i);
      if (isAlone) addScaled(dV[i], 1, dOut);
      const dWeights = weights.map((weight, j) => (weight > 0 ? dot(dOut, values[j]) : 0));
      const mean = dot(weights, dWeights);
      weights.forEach((weight, j) => {
        if (weight === 0) return;
        const dScore = weight * (dWeights[j] - mean) * scale;
        addScaled(dQ[i], dScore, keys[j]);
        addScaled(dKeys[j], dScore, queries[i]);
        addScaled(dV[j], weight, dOut);
      });
    });
    // k̂ = q/√(‖q‖² + ε)
    dKeys.forEach((dKey, j) => {
      if (!unit.isValid(j)) return;
      addScaled(dQ[j], 1 / lengths[j], dKey);
      addScaled(dQ[j], -dot(keys[j], dKey) / lengths[j], keys[j]);
    });
  }
}
