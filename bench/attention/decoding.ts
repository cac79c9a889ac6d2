import { freemem } from 'node:os';
import {
  type Backend,
  Decoder,
  type SavedState,
  Transformer,
  transformerPresets,
} from '../../src/entries/performers.ts';
import { type BenchmarkCase, compare, type Measurement, normalNumbers, releaseAll, type Subjects } from '../case.ts';
import { quantile, type Subject } from '../measure.ts';

const NUM_FEATURES = 256;
const MEBIBYTE = 2 ** 20;
const READ_BYTES = 256 * MEBIBYTE;
/** Tokens fed at a time to fill a state. */
const CHUNK = 2048;
/** Really feeds all tokens before the positions that are timed: a million take minutes. */
const long = process.env.PERFORMERS_BENCH_LONG === '1';

/** Rounds of one token after each position, to compare positions within. */
const PAIRED_ROUNDS = 300;

const favorPositions = [1, 1e3, 1e4, 1e5, 1e6];
const cachePositions = [1e3, 1e4, 1e5];

const favorAt = (position: number) => `FAVOR+, after ${position.toLocaleString('en-US')} tokens`;
const exactAt = (position: number) => `exact, ${position.toLocaleString('en-US')} cached tokens`;

function createModel(backend: Backend, type: 'favor' | 'exact'): Transformer {
  const attention = type === 'favor' ? { type, numFeatures: NUM_FEATURES } : { type };
  return new Transformer(backend, { ...transformerPresets.regular, positions: 'rotary', attention });
}

/** What must be read for any token: weights (the embedding once, as the output layer) and projections. */
function weightBytes(model: Transformer): number {
  const buffers = [...model.buffers().values()].reduce((total, { size }) => total + size, 0);
  return 4 * (model.numParameters + buffers);
}

/** Sums, their compensation and the scales, in and out. */
function stateBytes({ configuration }: Transformer): number {
  const { numLayers, numHeads, dModel } = configuration;
  return 2 * 4 * numLayers * numHeads * NUM_FEATURES * (2 * (dModel / numHeads + 1) + 1);
}

function cacheBytes({ configuration }: Transformer, position: number): number {
  return 4 * configuration.numLayers * 2 * configuration.dModel * position;
}

/** Reads an array larger than any cache: the bandwidth that shares refer to. */
function readingSubject(backend: Backend, release: (() => void)[]): Subject {
  const array = backend.allocate(READ_BYTES / 4);
  backend.fill(array, 1);
  release.push(() => backend.release(array));
  return {
    label: `reading ${READ_BYTES / MEBIBYTE} MiB, ${backend.numThreads} thread${backend.numThreads === 1 ? '' : 's'}`,
    flops: READ_BYTES,
    run: async () => void (await backend.squaredNorm(array)),
  };
}

const tokenAt = (position: number): number => (position * 7919) % transformerPresets.regular.vocabSize;

/**
 * States after each of `positions` tokens. Beyond `limit` they are continued from the last that was really fed. Sums of
 * as many more keys of the same kind are in proportion, and the position is the one asked for.
 */
async function favorStates(model: Transformer, positions: readonly number[], limit: number): Promise<SavedState[][]> {
  const decoder = new Decoder(model);
  const states: SavedState[][] = [];
  for (const position of positions) {
    const target = Math.min(position, limit);
    while (decoder.position < target) {
      const length = Math.min(CHUNK, target - decoder.position);
      await decoder.feed(Int32Array.from({ length }, (_, i) => tokenAt(decoder.position + i)));
    }
    const factor = position / decoder.position;
    const saved = await decoder.save();
    states.push(
      saved.map((state) => {
        if (state.type !== 'favor' || factor === 1) return state;
        const { sums, compensation, scales } = state.arrays;
        const times = (array: Float32Array) => array.map((value) => value * factor);
        return {
          ...state,
          positions: [position],
          arrays: { sums: times(sums), compensation: times(compensation), scales },
        };
      }),
    );
  }
  decoder.dispose();
  return states;
}

/**
 * How constant the time of a token is. Every decoder takes a turn, one token a round, every second round backwards, so
 * that what disturbs the machine disturbs all alike. The last decoder is another decoder at the first's position: how
 * far those two are apart is what the comparison can resolve.
 */
async function constancy(decoders: readonly Decoder[]): Promise<Measurement[]> {
  const times = decoders.map((): number[] => []);
  for (let round = 0; round < PAIRED_ROUNDS; round++) {
    const turns = [...decoders.keys()];
    if (round % 2 === 1) turns.reverse();
    for (const i of turns) {
      const start = performance.now();
      await decoders[i]!.feed([tokenAt(round)]);
      times[i]!.push(performance.now() - start);
    }
  }
  const deviations = times.map((its) => {
    const ratios = its.map((time, round) => time / times[0]![round]!);
    return 100 * Math.abs(quantile(ratios, 0.5) - 1);
  });
  return [
    {
      label: 'largest deviation from the time after 1 token, paired',
      value: Math.max(...deviations.slice(1, -1)),
      unit: '%',
    },
    { label: 'the same between two states after 1 token', value: deviations.at(-1)!, unit: '%' },
  ];
}

/** Those that fit: growing for the next token, a cache takes three times its size. WebAssembly's memory ends at 4 GiB. */
function cachePositionsFor(backend: Backend, model: Transformer): readonly number[] {
  const available = backend.name === 'wasm' ? 2 ** 32 : freemem();
  return cachePositions.filter((position) => 4 * cacheBytes(model, position) < available);
}

/** A cache of `position` keys and values, the same in every layer: 2,039 rows of normal numbers, repeated. */
function cacheState({ configuration }: Transformer, position: number): SavedState[] {
  const { dModel, numHeads, numLayers } = configuration;
  const dHead = dModel / numHeads;
  const filled = (seed: number): Float32Array => {
    const rows = normalNumbers(Math.min(2039, position) * dModel, seed);
    const array = new Float32Array(position * dModel);
    for (let at = 0; at < array.length; at += rows.length) array.set(rows.subarray(0, array.length - at), at);
    return array;
  };
  const arrays = { keys: filled(1), values: filled(2) };
  const sizes = { batch: 1, heads: numHeads, dHead, dValue: dHead };
  return new Array(numLayers).fill({ type: 'exact', positions: [position], sizes, arrays });
}

export const decoding: BenchmarkCase = {
  name: 'decoding',
  description:
    'one token through 6 layers, d = 512, d_ff = 2048, m = 256, logits read. Bytes: weights once, ' +
    'the FAVOR+ state in and out or the cached keys and values once; share: of the bandwidth of reading a large array' +
    (long ? '' : '. States beyond 10,000 tokens (WebAssembly: 1,000) extrapolated: PERFORMERS_BENCH_LONG=1 feeds all'),
  on: ['native', 'wasm'],

  async check(backend, reference) {
    const sizes = {
      vocabSize: 41,
      dModel: 44,
      numLayers: 2,
      numHeads: 2,
      dFeedForward: 53,
      positions: 'rotary',
    } as const;
    const run = async (on: Backend, type: 'favor' | 'exact'): Promise<number[]> => {
      const attention = type === 'favor' ? { type, numFeatures: 37 } : { type };
      const model = new Transformer(on, { ...sizes, attention });
      const decoder = new Decoder(model);
      const logits = [...(await decoder.feed([3, 1, 4, 1, 5, 9, 2, 6, 5, 35, 8]))];
      for (const token of [9, 7, 9, 3, 2]) logits.push(...(await decoder.feed([token])));
      decoder.dispose();
      model.dispose();
      return logits;
    };
    const checks = [];
    for (const type of ['favor', 'exact'] as const) {
      checks.push(compare(`${type}, logits`, await run(backend, type), await run(reference, type), 1e-5));
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    const peak = readingSubject(backend, releases);
    const add = (label: string, model: Transformer, states: readonly SavedState[], bytes: number): void => {
      const decoder = new Decoder(model, states);
      releases.push(() => decoder.dispose());
      const run = async () => void (await decoder.feed([tokenAt(decoder.position)]));
      subjects.push({ label, flops: bytes, unit: 'byte', peak, tokens: 1, run });
    };

    const favor = createModel(backend, 'favor');
    const limit = long ? Number.POSITIVE_INFINITY : backend.name === 'native' ? 1e4 : 1e3;
    const states = await favorStates(favor, favorPositions, limit);
    for (const [i, position] of favorPositions.entries()) {
      add(favorAt(position), favor, states[i]!, weightBytes(favor) + stateBytes(favor));
    }
    const paired = [...states, states[0]!].map((state) => new Decoder(favor, state));
    releases.push(() => releaseAll(paired.map((decoder) => () => decoder.dispose())));
    const exact = createModel(backend, 'exact');
    const cached = cachePositionsFor(backend, exact);
    for (const position of cached) {
      add(exactAt(position), exact, cacheState(exact, position), weightBytes(exact) + cacheBytes(exact, position));
    }
    releases.push(
      () => favor.dispose(),
      () => exact.dispose(),
    );

    return {
      subjects,
      comparisons: cached.map((position) => [exactAt(position), favorAt(position)] as const),
      summarise: () => constancy(paired),
      release: () => releaseAll(releases),
    };
  },
};
