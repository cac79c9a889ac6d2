import { expect, test } from 'vitest';
import { ConfigurationError } from '../../src/base/errors.ts';
import { checkOptions, describe as described, option } from '../../src/base/options.ts';

interface Example {
  readonly causal?: boolean;
  readonly maxRows?: number;
  readonly layout?: 'bhld' | 'blhd';
}

const kinds = { causal: option.boolean, maxRows: option.count, layout: option.oneOf('bhld', 'blhd') };
const check = (options: unknown) => checkOptions<Example>('example', options, kinds);

test.each([
  [{ casual: true }, 'Unknown key "casual" in the options of example: did you mean "causal"?'],
  [{ name: 'x' }, 'Unknown key "name" in the options of example: known keys are causal, maxRows, layout.'],
  [{ toString: 1 }, 'Unknown key "toString" in the options of example: known keys are causal, maxRows, layout.'],
  [{ causal: 'true' }, 'Key "causal" in the options of example is invalid: expected true or false, received "true".'],
  [
    { maxRows: 1.5 },
    'Key "maxRows" in the options of example is invalid: expected a whole number of at least 1, received 1.5.',
  ],
  [
    { layout: 'hbld' },
    'Key "layout" in the options of example is invalid: expected "bhld" or "blhd", received "hbld".',
  ],
  [null, 'The options of example must be a plain object; got null.'],
  [[], 'The options of example must be a plain object; got an Array.'],
  [3, 'The options of example must be a plain object; got 3.'],
])('options %o are refused in one sentence', (options, sentence) => {
  expect(() => check(options)).toThrow(new ConfigurationError(sentence));
});

test('no options, options left out and undefined options are accepted', () => {
  for (const options of [undefined, {}, { causal: undefined }, { causal: false, maxRows: 1, layout: 'blhd' }]) {
    expect(() => check(options)).not.toThrow();
  }
});

test('any value can be named', () => {
  const values = [
    1n,
    Symbol('x'),
    () => 1,
    Object.create(null),
    new Float32Array(2),
    new Map(),
    'a'.repeat(99),
    Number.NaN,
  ];
  expect(values.map(described)).toEqual([
    '1n',
    'a symbol',
    'a function',
    'a plain object',
    'a Float32Array',
    'a Map',
    'a string of 99 characters',
    'NaN',
  ]);
});
