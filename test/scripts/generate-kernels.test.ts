/** The description of the kernels: what it says is in the generated files, and what cannot be read is refused by name. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

interface Kernel {
  readonly name: string;
  readonly args: readonly { readonly name: string; readonly kind: string }[];
}
const load = (path: string) => import(fileURLToPath(new URL(`../../scripts/${path}`, import.meta.url)));
const { generateKernels }: { generateKernels: (options: { check: boolean }) => string[] } =
  await load('generate-kernels.mjs');
const { readKernels }: { readKernels: (table?: object) => Kernel[] } = await load('generate/description.mjs');

test('the generated files are those of the description', () => {
  expect(generateKernels({ check: true })).toEqual([]);
});

describe('an argument that cannot be read is refused', () => {
  const kernel = (args: Record<string, string>) => () =>
    readKernels({ twice: { about: 'out = 2x.', arguments: args } });

  test.each([
    ['an unknown role', { x: 'input [count]' }, /twice: the argument x: "input \[count\]" is not understood/],
    ['an unknown type', { x: 'in float16 [count]' }, /is not understood/],
    ['an unknown enumeration', { kind: 'one of Flavour' }, /is not understood/],
    ['no meaning', { unheardOf: 'in [count]' }, /unheardOf: "in \[count\]" has no meaning/],
    ['too many', Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`n${i}`, 'size — a size'])), /99 arguments/],
  ] as const)('%s', (_, args, message) => {
    expect(kernel(args)).toThrow(message);
  });

  test('what can be read has its parts', () => {
    const [{ args }] = readKernels({
      twice: {
        about: 'out = 2x.',
        arguments: { x: 'in optional int32 [n, max(a, b) @ ld] below n or negative', n: 'size from 1 to 9' },
      },
    });
    expect(args).toMatchObject([
      {
        ...{ kind: 'array', role: 'in', isOptional: true, type: 'int32', below: 'n', mayBeNegative: true },
        axes: [{ length: 'n' }, { length: 'max(a, b)', stride: 'ld' }],
      },
      { kind: 'size', from: '1', to: '9' },
    ]);
  });
});
