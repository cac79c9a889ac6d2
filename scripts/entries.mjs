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

/** The `exports` of package.json: `index` and `node` are the package itself, `X-node` is `performers/X` in Node. */
export function packageExports() {
  const file = (name) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });
  const inNode = (name) => (name === 'index' ? 'node' : `${name}-node`);
  const names = Object.keys(publicEntries).filter((name) => name !== 'node' && !name.endsWith('-node'));
  return Object.fromEntries([
    ...names.map((name) => [
      name === 'index' ? '.' : `./${name}`,
      inNode(name) in publicEntries ? { node: file(inNode(name)), default: file(name) } : file(name),
    ]),
    ['./browser', file('index')],
    ['./package.json', './package.json'],
  ]);
}
