import { describe, expect, test } from 'vitest';
import {
  evaluateListOps,
  LISTOPS_SYMBOLS,
  type ListOpsOptions,
  listOpsExample,
  listOpsExamples,
  listOpsLetters,
  listOpsTokenizer,
  parseListOps,
} from '../../src/data/listops.ts';

type Tree = number | { operator: string; inputs: Tree[] };

/** Another evaluator: recursive, on the text. */
function parse(text: string): Tree {
  const words = text.split(' ');
  let at = 0;
  const node = (): Tree => {
    const word = words[at++]!;
    if (/^\d$/.test(word)) return Number(word);
    if (!/^\[(MIN|MAX|MED|SM)$/.test(word)) throw new Error(word);
    const inputs: Tree[] = [];
    while (words[at] !== ']') inputs.push(node());
    at++;
    return { operator: word.slice(1), inputs };
  };
  const tree = node();
  if (at !== words.length) throw new Error('trailing words');
  return tree;
}

function evaluate(tree: Tree): number {
  if (typeof tree === 'number') return tree;
  const values = tree.inputs.map(evaluate).sort();
  switch (tree.operator) {
    case 'MIN':
      return values[0]!;
    case 'MAX':
      return values.at(-1)!;
    case 'MED':
      return Math.floor((values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2);
    default: {
      let sum = 0;
      for (const value of values) sum += value;
      return sum % 10;
    }
  }
}

const depth = (tree: Tree): number => (typeof tree === 'number' ? 1 : 1 + Math.max(...tree.inputs.map(depth)));

function nodes(tree: Tree): Exclude<Tree, number>[] {
  return typeof tree === 'number' ? [] : [tree, ...tree.inputs.flatMap(nodes)];
}

/** Probability of every length below `limit`, by the generating functions of the grammar. */
function lengthProbabilities(maxDepth: number, maxArguments: number, limit: number): Float64Array {
  let below = new Float64Array(limit);
  below[1] = 1;
  for (let level = 1; level < maxDepth; level++) {
    const node = new Float64Array(limit);
    node[1] = 0.75;
    let power = below;
    for (let k = 2; k <= maxArguments; k++) {
      const next = new Float64Array(limit);
      for (let i = 1; i < limit; i++) {
        for (let j = 1; i + j < limit; j++) next[i + j]! += below[i]! * power[j]!;
      }
      power = next;
      for (let i = 0; i + 2 < limit; i++) node[i + 2]! += (0.25 / (maxArguments - 1)) * power[i]!;
    }
    below = node;
  }
  return below;
}

/** χ² over its degrees of freedom is near 1; the bound is five standard deviations of √2/df. */
function expectFrequencies(counts: readonly number[], probabilities: readonly number[]): void {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let chiSquare = 0;
  counts.forEach((count, i) => {
    const expected = total * probabilities[i]!;
    if (probabilities[i] === 0) expect(count).toBe(0);
    else chiSquare += (count - expected) ** 2 / expected;
  });
  const freedom = probabilities.filter((p) => p > 0).length - 1;
  expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
  expect(chiSquare).toBeLessThan(freedom + 5 * Math.sqrt(2 * freedom));
}

describe('evaluateListOps', () => {
  test.each([
    ['7', 7],
    ['[MAX 4 3 [MIN 2 3 ] 1 0 [MED 1 5 8 9 2 ] ]', 5],
    ['[MED 1 2 ]', 1],
    ['[MED 9 0 5 4 ]', 4],
    ['[MED 9 0 5 ]', 5],
    ['[SM 9 9 ]', 8],
    ['[SM 5 5 ]', 0],
    ['[MIN 3 ]', 3],
    ['[SM [SM 9 8 ] [MAX 0 6 ] [MED 3 3 4 4 ] ]', 6],
  ])('%s', (text, value) => {
    expect(evaluateListOps(parseListOps(text))).toBe(value);
  });

  test.each([
    ['', 'The expression breaks off after 0 symbols.'],
    ['[MIN 1 2', 'The expression breaks off after 3 symbols.'],
    ['1 2', 'The expression ends before symbol 2 of 2.'],
    ['[MIN 1 ] ]', 'The expression ends before symbol 4 of 4.'],
    [']', 'Symbol 1 closes no operator.'],
    ['[SM 1 [MAX ] ]', 'Symbol 4 closes an operator without arguments.'],
  ])('refuses %s', (text, message) => {
    expect(() => evaluateListOps(parseListOps(text))).toThrow(message);
  });

  test('refuses other words', () => {
    expect(() => parseListOps('[MIN 10 ]')).toThrow('"10" is no symbol of ListOps.');
  });
});

describe('listOpsExample', () => {
  test('keeps to the bounds of the Long Range Arena, with values that another evaluator gives', () => {
    const lengths: number[] = [];
    for (const { text, symbols, label } of listOpsExamples({ seed: 3, count: 150 })) {
      const tree = parse(text);
      expect(evaluate(tree)).toBe(label);
      expect(evaluateListOps(symbols)).toBe(label);
      expect(parseListOps(text)).toEqual(symbols);
      expect(text.split(' ').length).toBe(symbols.length);
      expect(depth(tree)).toBeLessThanOrEqual(10);
      expect(nodes(tree).every(({ inputs }) => inputs.length >= 2 && inputs.length <= 10)).toBe(true);
      lengths.push(symbols.length);
    }
    expect(Math.min(...lengths)).toBeGreaterThan(500);
    expect(Math.max(...lengths)).toBeLessThan(2000);
    // Mean and standard deviation, 393.8, by the generating functions above with 10 levels, 2 to 10 arguments and these
    // bounds.
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    expect(Math.abs(mean - 1035.02)).toBeLessThan((4 * 393.8) / Math.sqrt(lengths.length));
  });

  const small: ListOpsOptions = { seed: 5, minLength: 0, maxLength: 40, maxDepth: 4, maxArguments: 5 };

  test('lengths have the distribution of the grammar', () => {
    for (const options of [small, { ...small, minLength: 9, maxLength: 33 }]) {
      const { minLength = 0, maxLength = 0 } = options;
      const of = lengthProbabilities(4, 5, maxLength).map((p, length) => (length > minLength ? p : 0));
      const all = of.reduce((sum, p) => sum + p, 0);
      const counts = new Array<number>(maxLength).fill(0);
      for (const { symbols } of listOpsExamples({ ...options, count: 6000 })) counts[symbols.length]!++;
      expectFrequencies(
        counts,
        [...of].map((p) => p / all),
      );
    }
  });

  test('digits, operators and numbers of arguments are equally likely', () => {
    const digits = new Array<number>(10).fill(0);
    const operators: Record<string, number> = { MIN: 0, MAX: 0, MED: 0, SM: 0 };
    const inputs = new Array<number>(11).fill(0);
    // At two levels every tree fits, so nothing is drawn again.
    for (const { text } of listOpsExamples({ seed: 6, count: 12_000, maxDepth: 2, minLength: 0 })) {
      for (const word of text.split(' ')) if (/\d/.test(word)) digits[Number(word)]!++;
      const tree = parse(text);
      if (typeof tree === 'number') continue;
      operators[tree.operator]!++;
      inputs[tree.inputs.length]!++;
    }
    const operatorCount = Object.values(operators).reduce((sum, count) => sum + count, 0);
    expectFrequencies([operatorCount, 12_000 - operatorCount], [0.25, 0.75]);
    expectFrequencies(digits, new Array<number>(10).fill(0.1));
    expectFrequencies(Object.values(operators), [0.25, 0.25, 0.25, 0.25]);
    expectFrequencies(inputs, [0, 0, ...new Array<number>(9).fill(1 / 9)]);
  });

  test('values of one operator have their closed forms', () => {
    const counts: Record<string, number[]> = {};
    for (const key of ['MIN', 'MAX', 'SM', 'MED']) counts[key] = new Array<number>(10).fill(0);
    const sizes = { seed: 7, maxDepth: 2, maxArguments: 2, minLength: 1, maxLength: 9 };
    for (const { text, label } of listOpsExamples({ ...sizes, count: 8000 })) {
      counts[/[A-Z]+/.exec(text)![0]]![label]!++;
    }
    const values = Array.from({ length: 10 }, (_, v) => v);
    expectFrequencies(
      counts.MIN!,
      values.map((v) => ((10 - v) ** 2 - (9 - v) ** 2) / 100),
    );
    expectFrequencies(
      counts.MAX!,
      values.map((v) => ((v + 1) ** 2 - v ** 2) / 100),
    );
    expectFrequencies(
      counts.SM!,
      values.map(() => 0.1),
    );
    // Pairs whose sum is 2v or 2v + 1.
    const pairs = (sum: number) => (sum <= 9 ? sum + 1 : Math.max(0, 19 - sum));
    expectFrequencies(
      counts.MED!,
      values.map((v) => (pairs(2 * v) + pairs(2 * v + 1)) / 100),
    );
  });

  test('is a function of seed and index', () => {
    const some = [...listOpsExamples({ ...small, count: 30, first: 10 })];
    expect(listOpsExample(25, small)).toEqual(some[15]);
    expect(new Set(some.map(({ text }) => text)).size).toBeGreaterThan(10);
    const other = [...listOpsExamples({ ...small, seed: 8, count: 30, first: 10 })];
    expect(other.filter(({ text }, i) => text === some[i]!.text).length).toBeLessThan(10);
  });

  test('refuses what cannot be', () => {
    expect(() => listOpsExample(0, { seed: 1, maxDepth: 0 })).toThrow('maxDepth is 0; use an integer of at least 1.');
    expect(() => listOpsExample(0, { seed: 1, maxArguments: 1 })).toThrow('maxArguments is 1');
    expect(() => listOpsExample(0, { seed: 1, minLength: 10, maxLength: 11 })).toThrow('maxLength is 11');
    expect(() => listOpsExample(0, { seed: 1, maxDepth: 1 })).toThrow('No expression of more than 500 and fewer');
  });
});

test('the tokenizer has a token for each of the 15 symbols, whether it occurs or not', async () => {
  const tokenizer = await listOpsTokenizer();
  expect(LISTOPS_SYMBOLS.length).toBe(15);
  expect(tokenizer.vocabSize).toBe(16);
  const letters = listOpsLetters(LISTOPS_SYMBOLS.map((_, symbol) => symbol));
  expect(new Set(tokenizer.encode(letters)).size).toBe(15);
  expect(tokenizer.decode(tokenizer.encode(letters))).toBe(letters);
});
