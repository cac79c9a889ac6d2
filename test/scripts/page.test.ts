import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const entry = new URL('../../dist/index.js', import.meta.url).pathname;

/** JavaScript that a page loads at its start, if the page uses `names` of the built package. */
async function pageWith(...names: string[]): Promise<string> {
  const page = await rolldown({
    input: 'page',
    platform: 'browser',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? '\0page' : undefined),
        load: (id) =>
          id === '\0page' ? `import { ${names} } from ${JSON.stringify(entry)}; console.log(${names});` : undefined,
      },
    ],
  });
  const { output } = await page.generate({ format: 'esm' });
  await page.close();
  const chunks = output.filter((part) => part.type === 'chunk');
  const loaded = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  for (const loader of loaded) {
    for (const imported of chunks.find(({ fileName }) => fileName === loader)?.imports ?? []) loaded.add(imported);
  }
  return chunks
    .filter(({ fileName }) => loaded.has(fileName))
    .map(({ code }) => code)
    .join('\n');
}

const classesOf = (code: string) => Array.from(code.matchAll(/\b(\w+) = class\b/g), ([, name]) => name);

// A constant that names a class keeps the class, unless the constant is marked as free of side effects.
test('a page of one attention loads no model, and a page of a model no other kind of model', async () => {
  const attention = await pageWith('createBackend', 'favorAttention', 'tensor');
  expect(classesOf(attention)).toContain('Tensor');
  for (const name of ['Transformer', 'EncoderDecoder', 'MultiHeadAttention', 'Linear']) {
    expect(classesOf(attention)).not.toContain(name);
  }
  const model = await pageWith('createBackend', 'Transformer');
  expect(classesOf(model)).toContain('Transformer');
  for (const name of ['EncoderDecoder', 'Trainer']) expect(classesOf(model)).not.toContain(name);
});
