import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const library = new URL('../../dist/internal.js', import.meta.url).href;

/** What the built package says about a model without layers, in a program that does `before` it loads the package. */
function message(before = ''): string {
  const program = `
    ${before}
    const { transformerSchema } = await import('${library}');
    process.stdout.write(transformerSchema.safeParse({ vocabSize: 7, numLayers: 0 }).error.issues[0].message);`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
}

// A bundler that drops the language as unused would leave "Invalid input" for everything.
test('the built package says what is wrong', () => {
  expect(message()).toBe('Too small: expected number to be >=1');
});

test('a language that the program has chosen stays', () => {
  expect(message("import { config } from 'zod/mini'; config({ localeError: () => 'zu klein' });")).toBe('zu klein');
});
