/**
 * Seeded random numbers. Everything random in the project is a word of Philox4x32-10 at a counter that says what the
 * word is for. A run is thus a pure function of its seed: nothing depends on what was drawn before or on which backend.
 *
 * The 128-bit counter is {block low, block high, stream, use}; the key is the seed's two words. The last word keeps the
 * uses apart:
 * - 0: the dropout kernel, whose stream is its own argument
 * - 1: {@link Random}
 * - 2: {@link permute}
 * - 3: {@link Random.fork}
 *
 * Within one use, {@link streams} keeps the purposes apart.
 */

import { ConfigurationError } from './errors.ts';
import { checkArguments, describe, type OptionKind, option } from './options.ts';
import { type PhiloxBlock, philox, philoxInto } from './philox.ts';

export { type PhiloxBlock, type PhiloxCounter, type PhiloxKey, philox } from './philox.ts';

const USE_RANDOM = 1;
const USE_PERMUTE = 2;
const USE_FORK = 3;

const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/**
 * Stream numbers of a seed, one for each purpose. Fork a stream further (by layer, epoch or step) rather than adding to
 * its number.
 */
export const streams = {
  /** Initial parameters. */
  initialisation: 1,
  /** FAVOR+ projections; fork by layer and redraw. */
  projections: 2,
  /** Order and offsets of the training data; fork or permute by epoch. */
  dataOrder: 3,
  /** Which tokens are masked in masked-language training. */
  masking: 4,
  /** Seeds of dropout masks. */
  dropout: 5,
  /** Sampling from a model. */
  sampling: 6,
  /** Which groups of records are held out; fork by a hash of the group's name. */
  heldOutGroups: 7,
  /** Expressions of ListOps; fork by example. */
  listOps: 8,
} as const;

/** What a {@link Random} continues from; plain data. */
interface RandomState {
  readonly seed: number;
  readonly stream: number;
  /** 32-bit words drawn so far. */
  readonly position: number;
  /** The second normal of the last pair, if it has not been handed out. */
  readonly spareNormal: number | null;
}

const stateKind = option.having('the state of a Random', {
  seed: option.number,
  stream: option.number,
  position: option.number,
  spareNormal: option.either(option.number, { wanted: 'null', accepts: (value) => value === null }),
});

function checkInteger(value: number, limit: number, name: string, where: string): void {
  if (!Number.isInteger(value) || value < 0 || value >= limit) {
    const bound = `2^${Math.log2(limit)}`;
    throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; give an integer from 0 to below ${bound}.`);
  }
}

/**
 * The Philox key of a seed, also what the dropout kernel takes.
 *
 * @throws ConfigurationError unless `seed` is an integer in [0, 2^53).
 */
export function seedWords(seed: number): [low: number, high: number] {
  checkInteger(seed, TWO_53, 'seed', 'random');
  return [seed >>> 0, Math.floor(seed / TWO_32)];
}

/** 53 bits from two words, as an integer. */
function integer53(high: number, low: number): number {
  return (high >>> 5) * 2 ** 26 + (low >>> 6);
}

/** A sequence of random numbers: a pure function of seed, stream and position. */
export class Random {
  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is Random {
    return typeof value === 'object' && value !== null && #key in value;
  }
  readonly seed: number;
  readonly stream: number;
  readonly #key: readonly [number, number];
  readonly #block = new Uint32Array(4);
  #position = 0;
  #spareNormal: number | null = null;

  /**
   * @param seed integer in [0, 2^53)
   * @param stream integer in [0, 2^32); sequences of different streams are independent. Default 0.
   * @throws ConfigurationError when either is out of range.
   */
  constructor(seed: number, stream = 0) {
    checkInteger(stream, TWO_32, 'stream', 'Random');
    this.#key = seedWords(seed);
    this.seed = seed;
    this.stream = stream;
  }

  /** Where the sequence stands; give it to {@link Random.from} to continue there. */
  get state(): RandomState {
    return { seed: this.seed, stream: this.stream, position: this.#position, spareNormal: this.#spareNormal };
  }

  /** A generator that continues from a saved state. @throws ConfigurationError when a field is out of range. */
  static from(state: RandomState): Random {
    checkArguments('Random.from', { state }, { state: stateKind });
    const random = new Random(state.seed, state.stream);
    checkInteger(state.position, TWO_53, 'position', 'Random.from');
    random.#position = state.position;
    random.#spareNormal = state.spareNormal;
    if (state.position % 4 !== 0) random.#fill();
    return random;
  }

  /**
   * A generator for a part of this generator's purpose, such as one layer. The result depends on the seed and stream of
   * this generator and on `stream`, not on how much was drawn.
   *
   * @param stream integer in [0, 2^53)
   * @throws ConfigurationError when it is out of range.
   */
  fork(stream: number): Random {
    const [low, high] = seedWords(stream);
    const words = philox([low, high, this.stream, USE_FORK], this.#key);
    return new Random(integer53(words[0], words[1]), words[2]);
  }

  /** Uniform on the integers from 0 to 2^32 − 1. */
  uint32(): number {
    const lane = this.#position % 4;
    if (lane === 0) this.#fill();
    this.#position++;
    return this.#block[lane];
  }

  /** Uniform on [0, 1), a multiple of 2^-53. */
  uniform(): number {
    return this.#integer53() / TWO_53;
  }

  /** Standard normal, by Box and Muller's pairs. */
  normal(): number {
    if (this.#spareNormal !== null) {
      const spare = this.#spareNormal;
      this.#spareNormal = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /**
   * Uniform on the integers from 0 to `below` − 1, without bias.
   *
   * @throws ConfigurationError unless `below` is an integer in [1, 2^53].
   */
  integer(below: number): number {
    if (!Number.isInteger(below) || below < 1 || below > TWO_53) {
      throw new ConfigurationError(`Random.integer: below is ${describe(below)}; give an integer from 1 to 2^53.`);
    }
    const range = below <= TWO_32 ? TWO_32 : TWO_53;
    // Draws at or above the largest multiple of `below` would favour the low residues.
    const limit = range - (range % below);
    for (;;) {
      const draw = range === TWO_32 ? this.uint32() : this.#integer53();
      if (draw < limit) return draw % below;
    }
  }

  #integer53(): number {
    const high = this.uint32();
    return integer53(high, this.uint32());
  }

  #fill(): void {
    const block = Math.floor(this.#position / 4);
    const key = this.#key;
    philoxInto(this.#block, block >>> 0, Math.floor(block / TWO_32), this.stream, USE_RANDOM, key[0], key[1]);
  }
}

const FEISTEL_ROUNDS = 8;

/**
 * A keyed bijection of the integers [0, count): the place of `index` in a shuffle, without storing the shuffle. A
 * balanced Feistel network permutes the next power of four; places outside the range are walked through again.
 *
 * @param index integer in [0, count)
 * @param count integer in [1, 2^52]
 * @param seed integer in [0, 2^53)
 * @param stream integer in [0, 2^32): another shuffle of the same seed, such as an epoch's. Default 0.
 * @throws ConfigurationError when an argument is out of range.
 */
export function permute(index: number, count: number, seed: number, stream = 0): number {
  if (!Number.isInteger(count) || count < 1 || count > 2 ** 52) {
    throw new ConfigurationError(`permute: count is ${count}; give an integer from 1 to 2^52.`);
  }
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new ConfigurationError(`permute: index is ${index}; give an integer from 0 to below ${count}.`);
  }
  checkInteger(stream, TWO_32, 'stream', 'permute');
  const key = seedWords(seed);
  // Four at least: networks on fewer bits reach only some of the orders.
  let half = 4;
  while (half * half < count) half *= 2;
  const words: PhiloxBlock = [0, 0, 0, 0];
  let place = index;
  do {
    let left = Math.floor(place / half);
    let right = place % half;
    for (let round = 0; round < FEISTEL_ROUNDS; round++) {
      philoxInto(words, right, round, stream, USE_PERMUTE, key[0], key[1]);
      const next = (left ^ words[0]) & (half - 1);
      left = right;
      right = next;
    }
    place = left * half + right;
  } while (place >= count);
  return place;
}

export const randomKind: OptionKind = option.made('a Random', Random.is);
