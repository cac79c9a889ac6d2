import { InvalidArgumentError, Option } from 'commander';

const bounded = (check: (value: number) => boolean, what: string) => (text: string) => {
  const value = Number(text);
  if (text.trim() === '' || !check(value)) throw new InvalidArgumentError(`Give ${what}.`);
  return value;
};

/** Parsers of option values, for commander. */
export const positiveInteger = bounded((x) => Number.isSafeInteger(x) && x >= 1, 'a positive whole number');
export const wholeNumber = bounded((x) => Number.isSafeInteger(x) && x >= 0, 'a whole number, 0 or more');
export const positiveNumber = bounded((x) => Number.isFinite(x) && x > 0, 'a positive number');
export const nonNegativeNumber = bounded((x) => Number.isFinite(x) && x >= 0, 'a number, 0 or more');
export const fractionBelow1 = bounded((x) => x > 0 && x < 1, 'a number above 0, below 1');
export const rate = bounded((x) => x >= 0 && x < 1, 'a number from 0, below 1');
export const fraction = bounded((x) => x > 0 && x <= 1, 'a number above 0, at most 1');

/** A parser that also refuses numbers above `most`. */
export const numberUpTo = (most: number, parse: (text: string) => number) => (text: string) => {
  const value = parse(text);
  if (value > most) throw new InvalidArgumentError(`Give at most ${most}.`);
  return value;
};

/** Timers of JavaScript hold 2³¹ − 1 milliseconds, which is 24.8 days; longer ones would end at once. */
const maxSeconds = 2_147_483;
export const seconds = bounded(
  (x) => x >= 0.001 && x <= maxSeconds,
  `a number of seconds from 0.001 to ${maxSeconds} (24 days)`,
);

/** Numbers with commas between them, such as `0,5`. */
const listed = (one: (text: string) => number) => (text: string) => text.split(',').map((part) => one(part.trim()));
export const positiveIntegers = listed(positiveInteger);
export const wholeNumbers = listed(wholeNumber);

/** Options that choose where the arithmetic runs. */
export interface BackendFlags {
  backend?: 'native' | 'wasm' | 'reference';
  threads?: number;
}

export const backendOptions = (): Option[] => [
  new Option('--backend <name>', 'where the arithmetic runs (default: native, else wasm)').choices([
    'native',
    'wasm',
    'reference',
  ]),
  new Option('--threads <n>', 'threads to use (default: one per core)').argParser(positiveInteger),
];

export const jsonOption = (): Option => new Option('--json', 'print one JSON object on standard output');
