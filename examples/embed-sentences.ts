// One vector for each sentence, and how alike the sentences are. Give the folder of a sentence encoder that
// `performers convert` made, such as of all-MiniLM-L6-v2. Without a folder the model is fresh, and its vectors know
// only the letters of a sentence. Run: node examples/embed-sentences.ts [FOLDER] (Node 22.18 or newer, after
// `npm run build`).
import { createBackend, loadModel, scope, Transformer, tensor } from 'performers';
import { paddedSegments } from 'performers/data';
import { ByteTokenizer } from 'performers/tokenizers';

const sentences = ['The cat sits on the mat.', 'A cat is sitting on a mat.', 'Stocks fell sharply on Monday.'];
const backend = await createBackend();
const { model, tokenizer } = process.argv[2] ? await loadModel(backend, process.argv[2]) : fresh();

// Rows of equal length: shorter sentences are padded, and segments of -1 say where.
const ids = sentences.map((sentence) => Array.from(tokenizer.encode(sentence)));
const lengths = ids.map((each) => each.length);
const length = Math.max(...lengths);
const segments = paddedSegments(lengths, length);
const padded = Int32Array.from(ids.flatMap((each) => Array.from({ length }, (_, i) => each[i] ?? 0)));
const vectors = scope(() => {
  const hidden = model.forward(tensor(backend, padded, [ids.length, length]), { segments });
  return model.pool(hidden, { segments });
});

const width = vectors.shape[1];
const numbers = Array.from(await vectors.data());
const rows = sentences.map((_, i) => numbers.slice(i * width, (i + 1) * width));
const product = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
for (const [i, row] of rows.entries()) {
  for (let j = i + 1; j < rows.length; j++) {
    const cosine = product(row, rows[j]) / Math.sqrt(product(row, row) * product(rows[j], rows[j]));
    console.log(`${cosine.toFixed(3)}  ${sentences[i]} | ${sentences[j]}`);
  }
}
backend.close();

function fresh() {
  const tokenizer = new ByteTokenizer();
  const model = new Transformer(backend, {
    ...{ vocabSize: tokenizer.vocabSize, dModel: 64, numLayers: 1, numHeads: 2, dFeedForward: 64, causal: false },
    ...{ positions: 'none', pooling: 'mean', attention: { type: 'favor', numFeatures: 32 } },
  });
  return { model, tokenizer };
}
