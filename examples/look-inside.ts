// Looks inside a model: where the last token of a text looks, by layer and head, and what FAVOR+ costs each layer beside exact
// attention. With the folder of a trained model as first argument the model is that one.
// Run: node examples/look-inside.ts [FOLDER] (Node 22.18 or newer, after `npm run build`).
import { createBackend, loadModel, Transformer, tensor } from 'performers';
import { approximationReport, topKeys } from 'performers/inspect';
import { ByteTokenizer } from 'performers/tokenizers';

const text = 'The sea is wide, the sky is high';
const backend = await createBackend();
const { model, tokenizer } = process.argv[2] ? await loadModel(backend, process.argv[2]) : fresh();
const ids = Int32Array.from(tokenizer.encode(text));
const { causal } = model.configuration;

const layers = model.attentionInputs(tensor(backend, ids, [1, ids.length]));
for (const [layer, { queries, keys, values }] of layers.entries()) {
  const [heads] = await topKeys(queries, keys, ids.length - 1, 3, { causal, exact: true });
  for (const [head, found] of heads.entries()) {
    const places = found.map(
      ({ key, weight }) => `${JSON.stringify(tokenizer.decode([ids[key]]))} at ${key} (${weight.toFixed(3)})`,
    );
    console.log(`layer ${layer}, head ${head}: the last token looks at ${places.join(', ')}`);
  }
  const { outputError, effectiveFeatures } = await approximationReport(queries, keys, values, {
    causal,
    features: { numFeatures: 64 },
  });
  console.log(
    `layer ${layer}: 64 features, output error ${outputError.toFixed(3)}, ${effectiveFeatures.toFixed(0)} features count`,
  );
}
backend.close();

function fresh() {
  const tokenizer = new ByteTokenizer();
  const sizes = { vocabSize: tokenizer.vocabSize, dModel: 32, numLayers: 2, numHeads: 2, dFeedForward: 64 };
  return { model: new Transformer(backend, { ...sizes, positions: 'rotary', attention: 'exact' }), tokenizer };
}
