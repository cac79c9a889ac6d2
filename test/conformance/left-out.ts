/**
 * What is left out of a call: masked keys, later positions, other sequences, padding, ignored targets, dropped elements. Whatever
 * stands there, outputs and gradients are those without it, to the bit.
 */
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { philox } from '../../src/base/philox.ts';
import type { AttentionSetup } from './attention.ts';
import { arraysOf, type Case, type CaseArrays, type Data, differingOutputs, randomOf } from './case.ts';
import { scaleRowsCases } from './cases/arrays/elementwise.ts';
import { farFieldCasesOf, withEstimator } from './cases/attention/far-field.ts';
import { favorCasesOf } from './cases/attention/favor.ts';
import { favorCausalCasesOf } from './cases/attention/favor-causal.ts';
import { type LshSetup, lshAttentionCasesOf, lshSetups } from './cases/attention/lsh-attention.ts';
import { softmaxAttentionCasesOf } from './cases/attention/softmax-attention.ts';
import { dropoutCases } from './cases/dense/dropout.ts';
import { crossEntropyCases } from './cases/training/cross-entropy.ts';
import { outputsOf } from './conformance.ts';
import type { FavorOptions } from './favor.ts';

type Elements = (index: number) => boolean;

/** Some elements of an array whose rows have `width` elements. */
interface Rows {
  readonly width: number;
  readonly holds: Elements;
}

interface LeftOut {
  readonly name: string;
  readonly item: Case;
  /** Elements of inputs that are left out. */
  readonly excluded: Readonly<Record<string, Rows>>;
  /** Elements of outputs that must not depend on them; of outputs not named, all. */
  readonly kept?: Readonly<Record<string, Rows>>;
}

/**
 * What no product with 0 removes, and the largest that one does: a call has one for each row in turn. NaN is alone, as a
 * maximum with NaN may be the other operand, and so hide what is beside it.
 */
const foreign = [[Number.NaN], [Number.POSITIVE_INFINITY, 3e38, Number.NEGATIVE_INFINITY]];

type RowTest = (batch: number, position: number) => boolean;

/** Elements of the rows `[batch, heads, length, width]`, or in layout `blhd`, for which `holds`. */
function elements(
  { layout, heads }: Pick<AttentionSetup, 'layout' | 'heads'>,
  length: number,
  width: number,
  holds: RowTest,
): Rows {
  const ofRow = (index: number) => {
    const row = Math.floor(index / width);
    const position = layout === 'bhld' ? row % length : Math.floor(row / heads) % length;
    return holds(Math.floor(row / (length * heads)), position);
  };
  return { width, holds: ofRow };
}

/** No element at all. */
const none: Rows = { width: 1, holds: () => false };

/** The arrays of an attention call by what their rows are. */
function rowsOfArrays(setup: AttentionSetup) {
  const { lengthQ, lengthK, dHead, dValue } = setup;
  const of = (length: number, width: number) => (holds: RowTest) => elements(setup, length, width, holds);
  const perQuery = (holds: RowTest) => elements({ ...setup, layout: 'bhld' }, lengthQ, 1, holds);
  return {
    ...{ q: of(lengthQ, dHead), dQ: of(lengthQ, dHead), k: of(lengthK, dHead), dK: of(lengthK, dHead) },
    ...{ v: of(lengthK, dValue), dV: of(lengthK, dValue), out: of(lengthQ, dValue), dOut: of(lengthQ, dValue) },
    ...{ logSumExp: perQuery, denominator: perQuery, kept: perQuery },
  };
}

function pick(setup: AttentionSetup, names: readonly (keyof ReturnType<typeof rowsOfArrays>)[], holds: RowTest) {
  const arrays = rowsOfArrays(setup);
  return Object.fromEntries(names.map((name) => [name, arrays[name](holds)]));
}

const square = (length: number, dHead: number, dValue: number) => {
  return { batch: 2, heads: 2, lengthQ: length, lengthK: length, dHead, dValue };
};
const thirds = (batch: number, key: number) => batch !== 1 && key % 3 !== 0;
const sequences = [
  [0, 1, 5, 1, 5],
  [0, 9, 70, 9, 70],
  [1, 3, 67, 3, 67],
];
const inSequences = (batch: number, position: number) =>
  sequences.some(([b, start, length]) => b === batch && position >= start && position < start + length);

const setups = (['bhld', 'blhd'] as const).flatMap((layout): AttentionSetup[] => [
  { name: 'masked', ...square(83, 7, 5), layout, isValidKey: thirds },
  { name: 'masked, wide', ...square(131, 64, 64), layout, isValidKey: (_, key) => key % 7 !== 2 },
  { name: 'few queries, masked', ...square(83, 11, 37), lengthQ: 5, layout, isValidKey: (_, key) => key % 7 !== 2 },
  { name: 'packed', ...square(83, 11, 7), layout, sequences },
  { name: 'long', ...square(203, 13, 17), layout },
  { name: 'one head', ...square(139, 5, 3), batch: 1, heads: 1, layout },
]);

/** The cases of one setup by what is left out of them. */
function leftOutOf(setup: AttentionSetup, bidirectional: readonly Case[], causal: readonly Case[]): LeftOut[] {
  const both = [...bidirectional, ...causal];
  const { isValidKey, lengthQ, lengthK } = setup;
  const found: LeftOut[] = [];
  if (isValidKey) {
    const excluded = pick(setup, ['k', 'v'], (batch, key) => !isValidKey(batch, key));
    for (const item of both) found.push({ name: 'masked keys', item, excluded });
  }
  if (setup.sequences) {
    const outside: RowTest = (batch, position) => !inSequences(batch, position);
    const second: RowTest = (batch, position) => batch === 0 && position >= 9;
    const others: RowTest = (batch, position) => !second(batch, position);
    for (const item of both) {
      found.push({ name: 'padding', item, excluded: pick(setup, ['q', 'k', 'v', 'dOut'], outside) });
      const states = { sums: none, compensation: none, scales: none, dGain: none };
      found.push({
        ...{ name: 'another sequence', item, excluded: pick(setup, ['q', 'k', 'v', 'dOut'], second) },
        kept: { ...pick(setup, ['out', 'logSumExp', 'denominator', 'kept', 'dQ', 'dK', 'dV'], others), ...states },
      });
    }
  }
  if (lengthQ !== lengthK || setup.sequences) return found;
  for (const from of [37, 64, 90].filter((position) => position < lengthK)) {
    const later: RowTest = (_, position) => position >= from;
    const earlier: RowTest = (_, position) => position < from;
    const nothing = { sums: none, compensation: none, scales: none, dGain: none };
    for (const item of causal) {
      found.push({
        ...{ name: `positions from ${from} on`, item, excluded: pick(setup, ['q', 'k', 'v', 'dOut'], later) },
        kept: {
          ...pick(setup, ['out', 'logSumExp', 'denominator', 'kept', 'dQ'], earlier),
          ...nothing,
          dK: none,
          dV: none,
        },
      });
      found.push({
        ...{ name: `queries before ${from}`, item, excluded: pick(setup, ['q', 'dOut'], earlier) },
        kept: { ...pick(setup, ['out', 'logSumExp', 'denominator', 'kept', 'dQ', 'dK', 'dV'], later), dGain: none },
      });
    }
  }
  return found;
}

const estimators: readonly FavorOptions[] = [
  { numFeatures: 37, hasBias: false },
  { numFeatures: 42, hasBias: true, form: 'hadamard', stacked: true },
  { numFeatures: 41, hasBias: true, weight: 0.03 },
  { numFeatures: 23, hasBias: false, map: 'relu', form: 'givens' },
  { numFeatures: 26, hasBias: false, map: 'sine', form: 'hadamard', stacked: true, weight: 0.03 },
];

function lshLeftOut(setup: LshSetup): LeftOut[] {
  const { length, dHead, dValue, isValidKey } = setup;
  if (!isValidKey) return [];
  const masked: RowTest = (batch, position) => !isValidKey(batch, position);
  const excluded = { q: elements(setup, length, dHead, masked), v: elements(setup, length, dValue, masked) };
  const [sort, , backward] = lshAttentionCasesOf(setup);
  // In the order that sorting makes, masked positions stand apart and see nothing.
  const whole: Case = {
    ...{ ...backward, name: `sort and ${backward.name}`, inputs: sort.inputs },
    outputs: (random) => ({ ...sort.outputs(random), ...backward.outputs(random) }),
    call: (backend, arrays) => {
      sort.call(backend, arrays);
      backward.call(backend, arrays);
    },
  };
  const values = { v: excluded.v };
  return [
    { name: 'masked positions', item: whole, excluded },
    { name: 'values of masked positions', item: backward, excluded: values },
  ];
}

/**
 * Causal, in the order that is given. Later positions are left out of `out`, whose queries serve as keys. Gradients of
 * earlier outputs are left out of those of later positions.
 */
function lshLater(setup: LshSetup): LeftOut[] {
  const { length, dHead, dValue, causal, isValidKey, numHashes } = setup;
  if (!causal || isValidKey || length < 29 || numHashes === 0) return [];
  const from = Math.floor(length / 2);
  const [later, earlier]: RowTest[] = [(_, position) => position >= from, (_, position) => position < from];
  const excluded = { q: elements(setup, length, dHead, later), v: elements(setup, length, dValue, later) };
  const rows = elements({ ...setup, layout: 'bhld' }, length, 1, earlier);
  const kept = { out: elements(setup, length, dValue, earlier), references: rows, sums: rows };
  const [, forward, backward] = lshAttentionCasesOf(setup);
  const gradients = { dQ: elements(setup, length, dHead, later), dV: elements(setup, length, dValue, later) };
  return [
    { name: `positions from ${from} on`, item: forward, excluded, kept },
    {
      ...{ name: `gradients before ${from}`, item: backward, kept: gradients },
      excluded: { dOut: elements(setup, length, dValue, earlier) },
    },
  ];
}

/** Elements that a case of dropout drops: what its name says. */
function droppedBy({ name }: Case): Elements | undefined {
  const [, rate, low, high, stream] = /at ([\d.]+), seed (\d+):(\d+), stream (\d+)$/.exec(name) ?? [];
  if (rate === undefined) return undefined;
  const bound = Math.fround(Number(rate)) * 2 ** 32;
  return (i) => philox([Math.floor(i / 4), 0, Number(stream), 0], [Number(low), Number(high)])[i % 4] < bound;
}

function leftOut(): LeftOut[] {
  const attention = setups.flatMap((setup) => [
    ...leftOutOf(setup, softmaxAttentionCasesOf(setup, false), softmaxAttentionCasesOf(setup, true)),
    ...leftOutOf(setup, softmaxAttentionCasesOf(setup, false, false), softmaxAttentionCasesOf(setup, true, false)),
  ]);
  const favor = setups.flatMap((setup, i) => {
    const options =
      setup.name === 'masked' || setup.name === 'packed' ? estimators : [estimators[i % estimators.length]];
    return options.flatMap((each) => {
      const named = { ...setup, ...each, name: `${setup.name}, m=${each.numFeatures}` };
      return leftOutOf(named, favorCasesOf(named), favorCausalCasesOf(named));
    });
  });
  const rowsOf = (item: Case, width: number): Rows => {
    const targets = item.inputs(randomOf(item.name)).targets;
    return { width, holds: (i) => targets[Math.floor(i / width)] < 0 };
  };
  const losses = crossEntropyCases
    .filter(({ name }) => !name.endsWith('in place'))
    .map((item): LeftOut => {
      const width = Number(/×(\d+)/.exec(item.name)?.[1]);
      return { name: 'ignored targets', item, excluded: { logits: rowsOf(item, width) } };
    });
  const dropped = dropoutCases.flatMap((item): LeftOut[] => {
    const excluded = droppedBy(item);
    return excluded ? [{ name: 'dropped elements', item, excluded: { x: { width: 1, holds: excluded } } }] : [];
  });
  const rows = scaleRowsCases.map((item): LeftOut => {
    const { factors } = item.inputs(randomOf(item.name));
    const width = Number(/×(\d+)/.exec(item.name)?.[1]);
    return {
      name: 'factors of 0',
      item,
      excluded: { x: { width, holds: (i) => factors[Math.floor(i / width) % factors.length] === 0 } },
    };
  });
  const nearFields = setups.flatMap((setup, i) => {
    const near = { ...setup, block: [16, 5, 64][i % 3], sinks: [0, 3, 20][i % 3], name: `${setup.name}, near field` };
    const far = withEstimator(near, i);
    return [
      ...leftOutOf(near, softmaxAttentionCasesOf(near, false), softmaxAttentionCasesOf(near, true)),
      ...leftOutOf(far, setup.lengthQ === setup.lengthK ? farFieldCasesOf(far, false) : [], farFieldCasesOf(far, true)),
    ];
  });
  return [
    ...attention,
    ...favor,
    ...nearFields,
    ...lshSetups.flatMap((setup) => [...lshLeftOut(setup), ...lshLater(setup)]),
    ...losses,
    ...dropped,
    ...rows,
  ];
}

/** The arrays with `values` at every excluded place, row by row in turn; another row first in every array. */
function withValues({ excluded }: LeftOut, { inputs, outputs }: CaseArrays, values: readonly number[]): CaseArrays {
  const changed = Object.entries(excluded).map(([name, { width, holds }], turn): [string, Data] => {
    const data = inputs[name].slice();
    for (let i = 0; i < data.length; i++) {
      if (holds(i)) data[i] = values[(Math.floor(i / width) + turn) % values.length];
    }
    return [name, data];
  });
  return { inputs: { ...inputs, ...Object.fromEntries(changed) }, outputs };
}

function keptOf({ kept }: LeftOut, outputs: Record<string, Float64Array>) {
  const parts = Object.entries(outputs).map(([name, data]) => {
    const rows = kept?.[name];
    return [name, rows ? data.filter((_, i) => rows.holds(i)) : data] as const;
  });
  return Object.fromEntries(parts);
}

/** Declares the tests of one backend, of the cases whose names are `wanted`. */
export function testLeftOut(title: string, backend: Backend, wanted: (name: string) => boolean = () => true): void {
  describe(`${title}: left out`, () => {
    const byKind = new Map<string, LeftOut[]>();
    for (const each of leftOut().filter(({ item }) => wanted(item.name))) {
      const kind = `${each.name}, ${each.item.name}`;
      byKind.set(kind, [...(byKind.get(kind) ?? []), each]);
    }
    // Cases leave several things out: what they give without is computed once.
    const known = new Map<Case, { arrays: CaseArrays; outputs: Promise<Record<string, Float64Array>> }>();
    const plainOf = (item: Case) => {
      const arrays = known.get(item)?.arrays ?? arraysOf(item);
      const plain = known.get(item) ?? { arrays, outputs: outputsOf(backend, item, arrays) };
      known.set(item, plain);
      return plain;
    };
    test.each([...byKind])('%s', async (_, all) => {
      for (const each of all) {
        const { arrays, outputs } = plainOf(each.item);
        const plain = keptOf(each, await outputs);
        expect(Object.values(plain).every((data) => !data.some(Number.isNaN))).toBe(true);
        for (const values of foreign) {
          const given = keptOf(each, await outputsOf(backend, each.item, withValues(each, arrays, values)));
          expect(differingOutputs(given, plain), `${each.item.name} with ${values}`).toEqual([]);
        }
      }
    });
  });
}
