/**
 * Causal FAVOR+ as nodes: a Scan over chunks of positions, O(length). Inside a chunk attention is the masked quadratic
 * form over features; the state carries from chunk to chunk. The state has for every feature a scale c_r, the largest
 * logarithm of a key so far. Its sums are `S_r = Σ_j exp(ℓ_jr − c_r)[v_j, 1]` with ℓ_jr = u_r − D_j.
 *
 * A chunk works in the scale at its start, `max(c_r, ℓ_first,r)`, so that no later key can make earlier keys vanish. If
 * a key rises by more than {@link MOST_RISE} above it, the chunk is computed row by row instead.
 */

import type { Graph } from '../graph.ts';
import { type Heads, LOG_ZERO, penalty, type Sequences } from './attention.ts';
import { keyNorms, logSum, resultOf, valuesAndOne } from './favor.ts';
import { halfNorm, type LayerFeatures, mantissas, project } from './features.ts';

/** Positions of a chunk. */
const CHUNK = 64;
/** Largest logarithm of a key within a chunk: exp(60) times a sum of features stays far below the largest float32. */
const MOST_RISE = 60;

/** The past of one layer. */
interface FavorPast {
  /** `[batch, heads, numFeatures, dHead + 1]` */
  readonly sums: string;
  /** c: `[batch, heads, 1, numFeatures]`; one for all features, `[batch, heads, 1, 1]`, where the map is not exponential. */
  readonly scales: string;
  /**
   * What additions to the sums have rounded off, shaped like them. Undefined: the rounding is lost, which does no harm
   * over whole chunks.
   */
  readonly compensation?: string | undefined;
}

const tensorsOf = ({ sums, scales, compensation }: FavorPast): string[] =>
  compensation === undefined ? [sums, scales] : [sums, scales, compensation];

const pastOf = ([sums, scales, compensation]: readonly string[]): FavorPast => ({ sums, scales, compensation });

/** Shapes of a layer's past, after the batch. */
export function pastShapes(heads: number, { numFeatures, dHead, map }: LayerFeatures) {
  return {
    sums: [heads, numFeatures, dHead + 1],
    scales: [heads, 1, map === 'exponential' ? numFeatures : 1],
  };
}

/** The past before any position. */
export function emptyPast(graph: Graph, { batch }: Sequences, heads: number, features: LayerFeatures): FavorPast {
  const { sums, scales } = pastShapes(heads, features);
  const filled = (value: number, shape: readonly number[]) =>
    graph.add('Expand', [graph.float(value), graph.shape(batch, ...shape)]);
  return {
    sums: filled(0, sums),
    scales: filled(features.map === 'exponential' ? LOG_ZERO : 0, scales),
  };
}

/** A past as given from outside, where zeros mean an empty past: a feature that has seen a key counts it. */
export function givenPast(graph: Graph, past: FavorPast, { map, dHead }: LayerFeatures): FavorPast {
  if (map !== 'exponential') return past;
  const counts = graph.transpose(graph.slice(past.sums, 3, dHead, dHead + 1), 0, 1, 3, 2);
  return { ...past, scales: graph.add('Where', [graph.add('Greater', [counts, 0]), past.scales, LOG_ZERO]) };
}

/** Positions padded to whole chunks. */
interface Chunks {
  readonly sequences: Sequences & { readonly valid: string };
  /** Vectors of one number. */
  readonly size: string;
  readonly padding: string;
}

function chunksOf(graph: Graph, { batch, length, valid }: Sequences & { readonly valid: string }): Chunks {
  const size = graph.once('chunkSize', () => graph.add('Min', [length, graph.integers(CHUNK)]));
  const padding = graph.once('chunkPadding', () =>
    graph.add('Mod', [graph.add('Sub', [graph.integers(0), length]), size]),
  );
  const padded = graph.once('paddedLength', () => graph.add('Add', [length, padding]));
  const kept = graph.once('paddedValid', () =>
    graph.add('Pad', [valid, graph.concat(0, graph.integers(0, 0, 0), padding)]),
  );
  return { sequences: { batch, length: padded, valid: kept }, size, padding };
}

/**
 * @param past what the first position follows
 * @param options.steps single positions are common: they take a way of their own
 * @returns rows `[batch·length, heads·dHead]`, and the past of what comes next
 */
export function favorCausal(
  graph: Graph,
  heads: Heads,
  features: LayerFeatures,
  sequences: Sequences & { readonly valid: string },
  past: FavorPast,
  { steps }: { readonly steps: boolean },
): { rows: string; past: FavorPast } {
  const { sequences: padded, size, padding } = chunksOf(graph, sequences);
  const { batch } = padded;
  const pads = graph.once('chunkPads', () =>
    graph.concat(0, graph.integers(0, 0, 0, 0, 0), padding, graph.integers(0, 0)),
  );
  const [queries, keys, values] = [heads.queries, heads.keys, heads.values].map((x) => graph.add('Pad', [x, pads]));
  const { heads: numHeads, dHead } = heads;
  const inputs: [name: string, width: number][] = [
    [queries, dHead],
    ...keyColumns(graph, { ...heads, keys }, features, padded),
    [valuesAndOne(graph, { ...heads, values }, padded), dHead + 1],
  ];
  const project = projection(graph, features);
  const triangle = graph.once('triangle', () => {
    const positions = graph.add('Range', [graph.integer(0), graph.squeeze(size, 0), graph.integer(1)]);
    const order = graph.add('LessOrEqual', [graph.unsqueeze(positions, 0), graph.unsqueeze(positions, 1)]);
    return graph.cast(order, 'float32');
  });
  const overChunks = (outer: Graph): string[] => {
    // `[batch, length, heads, width]` → `[chunks, batch, heads, size, width]`
    const chunked = ([x, width]: [string, number]) =>
      outer.transpose(outer.reshape(x, batch, -1, size, numHeads, width), 1, 0, 3, 2, 4);
    const scanned = outer.scan({
      states: tensorsOf(past),
      inputs: inputs.map(chunked),
      body: (inner, states, slices) => {
        const made = attend(inner, project(inner, slices), pastOf(states), features, triangle);
        return { states: tensorsOf(made.past), outputs: [made.out] };
      },
    });
    const [chunks] = scanned.slice(-1);
    const joined = outer.reshape(outer.transpose(chunks, 1, 0, 3, 2, 4), batch, -1, numHeads * dHead);
    return [outer.slice(joined, 1, 0, sequences.length), ...scanned.slice(0, -1)];
  };
  const atOnce = (outer: Graph): string[] => {
    const slices = inputs.map(([x]) => outer.transpose(x, 0, 2, 1, 3));
    const made = attend(outer, project(outer, slices), past, features, undefined);
    return [outer.reshape(made.out, batch, 1, numHeads * dHead), ...tensorsOf(made.past)];
  };
  const isSingle = () => graph.add('Equal', [graph.squeeze(sequences.length, 0), graph.integer(1)]);
  const [joined, ...states] = steps
    ? graph.choose(graph.once('isSingle', isSingle), atOnce, overChunks)
    : overChunks(graph);
  return { rows: graph.reshape(joined, -1, numHeads * dHead), past: pastOf(states) };
}

/** Keys as the chunks take them, with their widths: what their logarithm needs is more columns, or a second array. */
function keyColumns(
  graph: Graph,
  { keys, heads, dHead }: Heads,
  features: LayerFeatures,
  { batch, length, valid }: Chunks['sequences'],
): [name: string, width: number][] {
  if (features.map === 'exponential') {
    const penalties = graph.once('penalties', () => {
      const shape = graph.shape(batch, length, heads, 1);
      return graph.add('Expand', [graph.unsqueeze(penalty(graph, valid), 2, 3), shape]);
    });
    const squares = graph.reduce('ReduceSumSquare', keys, -1);
    return [[graph.concat(3, keys, squares, penalties), dHead + 2]];
  }
  if (features.map !== 'sine') return [[keys, dHead]];
  return [
    [keys, dHead],
    [keyNorms(graph, keys, features, graph.unsqueeze(valid, 2, 3)), 1],
  ];
}

/** Some positions of all heads, `[batch, heads, positions, …]`. */
interface Rows {
  /** u of an exponential map, features of another. */
  readonly queries: string;
  /** Features without their exponential; undefined for an exponential map. */
  readonly keys?: string;
  /** ℓ `[…, numFeatures]`, or for the map `sine` D `[…, 1]`. */
  readonly logarithms?: string;
  readonly values: string;
  /** D of the queries, where rows are not normalised and the map needs it. */
  readonly norms?: string;
}

/** What makes the rows of a chunk out of its inputs. */
function projection(outer: Graph, features: LayerFeatures): (graph: Graph, slices: readonly string[]) => Rows {
  const { map, numFeatures, dHead, directions, weight, bias } = features;
  const isExponential = map === 'exponential';
  const row = (value: number) => outer.floats(new Float32Array(numFeatures).fill(value), [1, numFeatures]);
  const keyDirections = isExponential ? outer.concat(0, directions, row(-0.5 / Math.sqrt(dHead)), row(1)) : directions;
  return (graph, slices) => {
    const [queries, keys, ...rest] = slices;
    const values = slices[slices.length - 1];
    const norms =
      weight > 0 && (isExponential || map === 'sine') ? { norms: halfNorm(graph, queries, features) } : undefined;
    const u = project(graph, queries, features);
    const uKeys = project(graph, keys, { ...features, directions: keyDirections, bias });
    if (isExponential) return { queries: u, logarithms: uKeys, values, ...norms };
    return {
      queries: mantissas(graph, u, features),
      keys: mantissas(graph, uKeys, features),
      ...(rest.length > 1 ? { logarithms: rest[0] } : undefined),
      values,
      ...norms,
    };
  };
}

/** @param triangle what positions of a chunk see of each other; undefined for a single position */
function attend(
  graph: Graph,
  rows: Rows,
  past: FavorPast,
  features: LayerFeatures,
  triangle: string | undefined,
): { out: string; past: FavorPast } {
  const { logarithms } = rows;
  if (logarithms === undefined) return attendAtScale(graph, rows, past, features, triangle);
  const first = triangle === undefined ? logarithms : graph.slice(logarithms, 2, 0, 1);
  const scales = graph.add('Max', [past.scales, first]);
  const rises = graph.add('Sub', [logarithms, scales]);
  const atScale = (inner: Graph) => attendAtScale(inner, rows, past, features, triangle, { scales, rises });
  if (triangle === undefined) return atScale(graph);
  const isSafe = graph.add('LessOrEqual', [graph.add('ReduceMax', [rises], { keepdims: 0 }), MOST_RISE]);
  const results = ({ out, past }: { out: string; past: FavorPast }) => [out, ...tensorsOf(past)];
  const [out, ...states] = graph.choose(
    isSafe,
    (inner) => results(atScale(inner)),
    (inner) => results(attendRowByRow(inner, rows, past, features)),
  );
  return { out, past: pastOf(states) };
}

function attendRowByRow(
  graph: Graph,
  rows: Rows,
  past: FavorPast,
  features: LayerFeatures,
): { out: string; past: FavorPast } {
  const names = (Object.keys(rows) as (keyof Rows)[]).filter((name) => rows[name] !== undefined);
  const scanned = graph.scan({
    states: tensorsOf(past),
    inputs: names.map((name) => rows[name] as string),
    axis: 2,
    body: (inner, states, slices) => {
      const row = Object.fromEntries(names.map((name, i) => [name, inner.unsqueeze(slices[i], 2)]));
      const made = attend(inner, row as unknown as Rows, pastOf(states), features, undefined);
      return { states: tensorsOf(made.past), outputs: [inner.squeeze(made.out, 2)] };
    },
  });
  const [out] = scanned.slice(-1);
  return { out, past: pastOf(scanned.slice(0, -1)) };
}

/**
 * @param at what the features are relative to, and the logarithms of the keys relative to that; undefined: relative to
 * 1
 */
function attendAtScale(
  graph: Graph,
  { queries, keys, values, norms }: Rows,
  past: FavorPast,
  features: LayerFeatures,
  triangle: string | undefined,
  at?: { readonly scales: string; readonly rises: string },
): { out: string; past: FavorPast } {
  const column = (row: string) => graph.transpose(row, 0, 1, 3, 2);
  const powers = at && graph.add('Exp', [at.rises]);
  const keyFeatures =
    keys === undefined ? (powers as string) : powers === undefined ? keys : graph.add('Mul', [keys, powers]);
  const isExponential = features.map === 'exponential';
  const logQueries = isExponential && at ? graph.add('Add', [queries, at.scales]) : undefined;
  // Any factor of a row cancels in its quotient; the fused kernel is the fastest way to an exponential that cannot overflow.
  const queryFeatures = logQueries === undefined ? queries : graph.add('Softmax', [logQueries], { axis: -1 });
  const down = at && column(graph.add('Exp', [graph.add('Sub', [past.scales, at.scales])]));
  const before = rescale(graph, past, down);
  const turnedKeys = column(keyFeatures);
  const scores = graph.add('MatMul', [queryFeatures, turnedKeys]);
  const seen = triangle === undefined ? scores : graph.add('Mul', [scores, triangle]);
  const sums = graph.add('Add', [
    graph.add('MatMul', [seen, values]),
    graph.add('MatMul', [queryFeatures, before.sums]),
  ]);
  const out = resultOf(graph, sums, features, () => {
    if (!at || norms === undefined) return undefined;
    if (logQueries === undefined) return graph.add('Add', [norms, at.scales]);
    return graph.add('Sub', [logSum(graph, logQueries, queryFeatures), norms]);
  });
  const added = accumulate(graph, before, graph.add('MatMul', [turnedKeys, values]));
  if (!at) return { out, past: { ...added, scales: past.scales } };
  // A single key is the first of its chunk, so nothing has risen above that.
  if (triangle === undefined) return { out, past: { ...added, scales: at.scales } };
  const most = graph.reduce('ReduceMax', at.rises, 2);
  const scales = graph.add('Add', [at.scales, graph.add('Relu', [most])]);
  const further = column(graph.add('Exp', [graph.add('Sub', [at.scales, scales])]));
  return { out, past: { ...rescale(graph, added, further), scales } };
}

type Sums = Omit<FavorPast, 'scales'>;

function rescale(graph: Graph, { sums, compensation }: Sums, factors: string | undefined): Sums {
  if (factors === undefined) return { sums, compensation };
  const scaled = (x: string) => graph.add('Mul', [x, factors]);
  return { sums: scaled(sums), compensation: compensation && scaled(compensation) };
}

/** Adds to sums; what that rounds off (Kahan 1965) is added the next time. */
function accumulate(graph: Graph, { sums, compensation }: Sums, added: string): Sums {
  if (compensation === undefined) return { sums: graph.add('Add', [sums, added]) };
  const increment = graph.add('Add', [added, compensation]);
  const total = graph.add('Add', [sums, increment]);
  const taken = graph.add('Sub', [total, sums]);
  return { sums: total, compensation: graph.add('Sub', [increment, taken]) };
}
