// The package's entries: the names of their files in dist/, and the sources. tsdown.config.ts, setup.mjs and package.json's
// `exports` follow this list; a test compares them.

/** What `performers` and `performers/NAME` give: a file for Node, and another one for browsers where that differs. */
export const publicEntries = {
  index: 'src/entries/browser/performers.ts',
  node: 'src/entries/performers.ts',
  data: 'src/entries/browser/data.ts',
  'data-node': 'src/entries/data.ts',
  tokenizers: 'src/entries/tokenizers.ts',
  training: 'src/entries/browser/training.ts',
  'training-node': 'src/entries/training.ts',
  pretrained: 'src/entries/browser/pretrained.ts',
  'pretrained-node': 'src/entries/pretrained.ts',
  onnx: 'src/entries/onnx.ts',
  inspect: 'src/entries/inspect.ts',
  layers: 'src/entries/layers.ts',
  internal: 'src/entries/internal.ts',
};

/**
 * The `exports` of package.json: `index` and `node` are the package itself, `X-node` is `performers/X` in Node. The types
 * are those of Node everywhere: TypeScript does not know whether `moduleResolution: bundler` is for Node, Bun or a page.
 * `performers/browser` has the types of pages.
 */
export function packageExports() {
  const file = (name) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });
  const inNode = (name) => (name === 'index' ? 'node' : `${name}-node`);
  const both = (name) => ({ types: `./dist/${name}.d.ts`, node: `./dist/${name}.js` });
  const names = Object.keys(publicEntries).filter((name) => name !== 'node' && !name.endsWith('-node'));
  return Object.fromEntries([
    ...names.map((name) => [
      name === 'index' ? '.' : `./${name}`,
      inNode(name) in publicEntries ? { ...both(inNode(name)), default: `./dist/${name}.js` } : file(name),
    ]),
    ['./browser', file('index')],
    ['./kernels/*', './dist/kernels/*'],
    ['./package.json', './package.json'],
  ]);
}
