import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GroupSplit, partOfGroup } from '../../../src/data/dataset/group-split.ts';

const names = (count: number, prefix = 'PF') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('partOfGroup', () => {
  test('holds out the fraction asked for, also of names that differ little', () => {
    for (const fraction of [0.02, 0.1, 0.5, 0.9]) {
      for (const seed of [0, 1, 2 ** 52 + 3]) {
        for (const prefix of ['PF', 'Organism number ']) {
          const n = 5000;
          const heldOut = names(n, prefix).filter(
            (name) => partOfGroup(name, { by: 'group', fraction, seed }) !== 'train',
          );
          // Four standard deviations of a binomial; 24 such tests.
          expect(Math.abs(heldOut.length - n * fraction)).toBeLessThan(4 * Math.sqrt(n * fraction * (1 - fraction)));
        }
      }
    }
  });

  test('seeds are independent, and a larger fraction only adds groups', () => {
    const n = 5000;
    const parts = (seed: number, fraction: number) =>
      names(n).map((name) => partOfGroup(name, { by: 'group', fraction, seed }) === 'heldOut');
    const [a, b] = [parts(1, 0.3), parts(2, 0.3)];
    const both = a.filter((isHeldOut, i) => isHeldOut && b[i]).length;
    expect(Math.abs(both - n * 0.09)).toBeLessThan(4 * Math.sqrt(n * 0.09 * 0.91));
    parts(1, 0.5).forEach((isHeldOut, i) => {
      if (a[i]) expect(isHeldOut).toBe(true);
    });
  });

  test('seed 0 is the default, and parts never change from one version to the next', () => {
    const parts = names(16).map((name) => partOfGroup(name, { by: 'group', fraction: 0.5 })[0]);
    expect(parts).toEqual(names(16).map((name) => partOfGroup(name, { by: 'group', fraction: 0.5, seed: 0 })[0]));
    expect(parts.join('')).toBe('tttththhththhttt');
  });

  test.each([0, 1, -0.1, Number.NaN])('refuses the fraction %s', (fraction) => {
    expect(() => partOfGroup('a', { by: 'group', fraction })).toThrow('use a number between 0 and 1');
    expect(() => new GroupSplit({ by: 'group', fraction })).toThrow('use a number between 0 and 1');
  });
});

describe('GroupSplit', () => {
  test('no group is in both parts, and a record is held out if any of its groups is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(fc.constantFrom(...names(40)), { maxLength: 3 }), { minLength: 1, maxLength: 60 }),
        fc.nat(1000),
        (records, seed) => {
          const rule = { by: 'group', fraction: 0.3, seed } as const;
          const split = new GroupSplit(rule);
          const isHeldOut = (name: string) => partOfGroup(name, rule) === 'heldOut';
          const parts = records.map((groups) => split.partOf(groups.length === 0 ? {} : { group: groups.join(';') }));
          const trained = new Set(records.filter((_, i) => parts[i] === 'train').flat());
          for (const group of trained) expect(isHeldOut(group)).toBe(false);
          records.forEach((groups, i) => {
            if (groups.length > 0 && parts[i] === 'heldOut') expect(groups.some(isHeldOut)).toBe(true);
          });
          const all = [...new Set(records.flat())];
          expect(split.counts).toEqual({
            records: {
              train: parts.filter((part) => part === 'train').length,
              heldOut: parts.filter((part) => part === 'heldOut').length,
            },
            groups: { train: all.filter((g) => !isHeldOut(g)).length, heldOut: all.filter(isHeldOut).length },
            ungrouped: records.filter((groups) => groups.length === 0).length,
          });
        },
      ),
      { numRuns: 100, seed: 3 },
    );
  });

  test('an empty part is an error that says what to change', () => {
    const split = new GroupSplit({ by: 'group', fraction: 1e-9 });
    for (const group of ['a', 'b', 'b']) split.partOf({ group });
    split.partOf({});
    expect(() => split.check()).toThrow(
      'Of 2 groups (and 1 records without one) a fraction of 1e-9 leaves nothing held out; give records of more groups',
    );
    const other = new GroupSplit({ by: 'group', fraction: 1 - 1e-9 });
    other.partOf({ group: 'a' });
    expect(() => other.check()).toThrow('leaves nothing to train on');
    other.partOf({});
    expect(() => other.check()).not.toThrow();
  });
});
