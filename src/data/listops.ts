/**
 * ListOps: the value, 0 to 9, of a nested expression such as `[MAX 4 3 [MIN 2 3 ] 1 0 ]`. Expressions are drawn as the
 * Long Range Arena draws them (Tay et al., 2021, Section 2.2; its listops.py gives the probabilities). A task of long
 * dependencies: every symbol may decide the answer.
 */

import { ConfigurationError, DataError } from '../base/errors.ts';
import { checkArguments, checkOptions as checkKnown, option } from '../base/options.ts';
import { Random, streams } from '../base/random.ts';
import type { CharacterTokenizer } from '../tokenizers/characters.ts';
import { type TrainCharactersOptions, trainCharacters } from '../tokenizers/training/characters.ts';

/** The symbols of expressions; a symbol is stored as its index. */
export const LISTOPS_SYMBOLS: readonly string[] = ['[MIN', '[MAX', '[MED', '[SM', ']', ...'0123456789'];

const NUM_OPERATORS = 4;
const CLOSE = 4;
const FIRST_DIGIT = 5;
/** Below this many of 2^32: an operator, with probability 1/4. */
const OPERATOR_BELOW = 2 ** 30;

export interface ListOpsOptions {
  /** Integer in [0, 2^53). */
  readonly seed: number;
  /** Levels of an expression, a single digit having one. Default 10. */
  readonly maxDepth?: number;
  /** Arguments of an operator: 2 to this many. Default 10. */
  readonly maxArguments?: number;
  /** Expressions have more symbols than this and fewer than `maxLength`. Default 500. */
  readonly minLength?: number;
  /** Default 2000. */
  readonly maxLength?: number;
}

/** An expression and its value. */
export interface ListOpsExample {
  /** The symbols with spaces between them. */
  readonly text: string;
  /** Indices into {@link LISTOPS_SYMBOLS}. */
  readonly symbols: Uint8Array;
  /** The value, 0 to 9. */
  readonly label: number;
}

/**
 * Example `index` of a seed: a function of the two alone, so an endless data set needs no room.
 *
 * A tree is drawn from its root. At fewer than `maxDepth` levels a node is an operator with probability 1/4, with 2 to
 * `maxArguments` arguments, each number equally likely; else a digit. Operators and digits are equally likely among
 * themselves. Trees of other lengths are drawn again: with the defaults 11 of 12.
 *
 * @throws DataError unless the sizes are positive integers that leave room for an expression
 */
export function listOpsExample(index: number, options: ListOpsOptions): ListOpsExample {
  checkArguments('listOpsExample', { index, options }, { index: option.natural, options: option.object });
  checkKnown<ListOpsOptions & { count?: number; first?: number }>('listOpsExample', options, {
    seed: option.number,
    maxDepth: option.number,
    maxArguments: option.number,
    minLength: option.number,
    maxLength: option.number,
    count: option.number,
    first: option.number,
  });
  const { seed, maxDepth = 10, maxArguments = 10, minLength = 500, maxLength = 2000 } = options;
  checkOptions(maxDepth, maxArguments, minLength, maxLength);
  const random = new Random(seed, streams.listOps).fork(index);
  const tree = new Tree(random, maxDepth, maxArguments, maxLength);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const label = tree.draw();
    if (label !== undefined && tree.length > minLength) {
      const symbols = tree.symbols.slice(0, tree.length);
      return { text: listOpsText(symbols), symbols, label };
    }
  }
  throw new DataError(
    `No expression of more than ${minLength} and fewer than ${maxLength} symbols was found in ${MAX_ATTEMPTS} draws; ` +
      'allow more depth, more arguments or other lengths.',
  );
}

const MAX_ATTEMPTS = 1_000_000;

/** Examples `first … first + count − 1`. */
export function* listOpsExamples(
  options: ListOpsOptions & { count: number; first?: number },
): Generator<ListOpsExample> {
  checkArguments('listOpsExamples', { options }, { options: option.object });
  const { count, first = 0 } = options;
  checkArguments('listOpsExamples', { count, first }, { count: option.natural, first: option.natural });
  for (let index = first; index < first + count; index++) yield listOpsExample(index, options);
}

function checkOptions(maxDepth: number, maxArguments: number, minLength: number, maxLength: number): void {
  const check = (value: number, least: number, name: string) => {
    if (!Number.isInteger(value) || value < least) {
      throw new ConfigurationError(`${name} is ${value}; use an integer of at least ${least}.`);
    }
  };
  check(maxDepth, 1, 'maxDepth');
  check(maxArguments, 2, 'maxArguments');
  check(minLength, 0, 'minLength');
  check(maxLength, minLength + 2, 'maxLength');
  checkArguments('listOpsExample', { maxLength }, { maxLength: option.upTo(2 ** 24) });
}

/** Draws trees into one array of symbols. */
class Tree {
  readonly symbols: Uint8Array;
  length = 0;

  constructor(
    private readonly random: Random,
    private readonly maxDepth: number,
    private readonly maxArguments: number,
    private readonly maxLength: number,
  ) {
    this.symbols = new Uint8Array(maxLength);
  }

  /** Draws a tree, and gives its value, or undefined as soon as it has `maxLength` symbols. */
  draw(): number | undefined {
    this.length = 0;
    return this.#node(1);
  }

  #node(depth: number): number | undefined {
    const { random } = this;
    if (depth >= this.maxDepth || random.uint32() >= OPERATOR_BELOW) {
      const digit = random.integer(10);
      return this.#push(FIRST_DIGIT + digit) ? digit : undefined;
    }
    const operator = random.integer(NUM_OPERATORS);
    if (!this.#push(operator)) return undefined;
    const values: number[] = [];
    for (let left = 2 + random.integer(this.maxArguments - 1); left > 0; left--) {
      const value = this.#node(depth + 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return this.#push(CLOSE) ? apply(operator, values) : undefined;
  }

  #push(symbol: number): boolean {
    if (this.length + 1 >= this.maxLength) return false;
    this.symbols[this.length++] = symbol;
    return true;
  }
}

function apply(operator: number, values: number[]): number {
  switch (operator) {
    case 0:
      return values.reduce((least, value) => Math.min(least, value));
    case 1:
      return values.reduce((most, value) => Math.max(most, value));
    case 2:
      return median(values);
    default:
      return values.reduce((sum, value) => sum + value, 0) % 10;
  }
}

/** The middle value; of two middle ones the mean, rounded down. */
function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) >> 1;
}

/** The value of an expression. @throws DataError if the text is no expression */
export function evaluateListOps(symbols: ArrayLike<number>): number {
  checkArguments('evaluateListOps', { symbols }, { symbols: option.numbers });
  const open: { operator: number; values: number[] }[] = [];
  let result: number | undefined;
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i]!;
    if (result !== undefined) throw new DataError(`The expression ends before symbol ${i + 1} of ${symbols.length}.`);
    let value: number;
    if (symbol < NUM_OPERATORS) {
      open.push({ operator: symbol, values: [] });
      continue;
    } else if (symbol === CLOSE) {
      const last = open.pop();
      if (last === undefined || last.values.length === 0) {
        throw new DataError(`Symbol ${i + 1} closes ${last ? 'an operator without arguments' : 'no operator'}.`);
      }
      value = apply(last.operator, last.values);
    } else {
      value = symbol - FIRST_DIGIT;
    }
    const parent = open.at(-1);
    if (parent === undefined) result = value;
    else parent.values.push(value);
  }
  if (result === undefined) throw new DataError(`The expression breaks off after ${symbols.length} symbols.`);
  return result;
}

const indices = new Map(LISTOPS_SYMBOLS.map((symbol, index) => [symbol, index]));

/**
 * Symbols of a text, with or without the parentheses by which the Long Range Arena's files nest pairs, which say nothing.
 *
 * @throws DataError for anything else
 */
export function parseListOps(text: string): Uint8Array {
  checkArguments('parseListOps', { text }, { text: option.string });
  const words = text.split(/\s+/).filter((word) => word !== '' && word !== '(' && word !== ')');
  return Uint8Array.from(words, (word) => {
    const index = indices.get(word);
    if (index === undefined) throw new DataError(`${JSON.stringify(word.slice(0, 20))} is no symbol of ListOps.`);
    return index;
  });
}

/** The text of symbols. */
export function listOpsText(symbols: ArrayLike<number>): string {
  checkArguments('listOpsText', { symbols }, { symbols: option.numbers });
  return Array.from(symbols, (symbol) => LISTOPS_SYMBOLS[symbol]).join(' ');
}

/** One character for each symbol, so that a tokenizer of characters has a token for each: `n3x45]]` is `[MIN 3 [MAX 4 5 ] ]`. */
export function listOpsLetters(symbols: ArrayLike<number>): string {
  checkArguments('listOpsLetters', { symbols }, { symbols: option.numbers });
  return Array.from(symbols, (symbol) => LETTERS[symbol]).join('');
}

/** MIN, MAX, MED, SM (a sum), `]` and the digits. */
const LETTERS = 'nxd+]0123456789';

/**
 * A tokenizer of the letters of {@link listOpsLetters}: one token for every symbol. The Long Range Arena's own pipeline
 * splits at everything but letters and digits, and so drops `]`. Without `]` an expression has more than one reading;
 * here it is a token.
 */
export function listOpsTokenizer(options: TrainCharactersOptions = {}): Promise<CharacterTokenizer> {
  return trainCharacters([LETTERS], options);
}
