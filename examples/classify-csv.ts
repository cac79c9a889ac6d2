// Learns to tell the classes of texts in a CSV file: columns `review` and `mood`, quoted as spreadsheets quote them. Tables with
// tabs and JSON lines are read the same way.
// Run: node examples/classify-csv.ts (Node 22.18 or newer, after `npm run build`). Takes some seconds.
import { createBackend, ops, scope, Transformer, tensor } from 'performers';
import {
  BadRecords,
  evaluationExamples,
  fromTexts,
  paddedSegments,
  readLabelledTable,
  trainingExamples,
} from 'performers/data';
import { ByteTokenizer } from 'performers/tokenizers';
import { parseTrainingConfiguration, Trainer } from 'performers/training';

const classes = ['bad', 'good'];
const file = new URL('data/reviews.csv', import.meta.url).pathname;
const unreadable = new BadRecords();
const tokenizer = new ByteTokenizer();
const table = readLabelledTable(file, unreadable, { text: 'review', label: 'mood', classes });
const { train } = await fromTexts(table, tokenizer, { by: 'none' });
console.log(`${train.documents.length} texts, ${unreadable.count} lines that cannot be read`);

const backend = await createBackend();
const model = new Transformer(backend, {
  ...{ vocabSize: tokenizer.vocabSize, dModel: 32, numLayers: 1, numHeads: 2, dFeedForward: 64, maxLength: 64 },
  ...{ causal: false, numClasses: classes.length, attention: { type: 'favor', numFeatures: 32 } },
});
const configuration = parseTrainingConfiguration({
  ...{ objective: { type: 'classification' }, steps: 80, batchSize: 6, length: 64, learningRate: 5e-3 },
});
const rows = { batchSize: 6, length: 64 };
const trainer = new Trainer({ model, data: trainingExamples(train, { ...rows, seed: 0 }), configuration });
for (let step = 0; step < configuration.steps; step++) await trainer.step();

let hits = 0;
for await (const { inputs, targets, segments, batchSize, length } of evaluationExamples(train, rows).batches()) {
  const logits = scope(() =>
    model.classify(model.forward(tensor(backend, inputs, [batchSize, length]), { segments }), { segments }),
  );
  const scores = await logits.data();
  targets.forEach((target, row) => {
    hits += scores[2 * row + target] > scores[2 * row + 1 - target] ? 1 : 0;
  });
}
console.log(`right on ${hits} of ${train.documents.length} texts that it has learnt from`);

const text = 'A wonderful, funny film with a lovely ending';
const ids = Int32Array.from(tokenizer.encode(text));
const probabilities = scope(() => {
  const segments = paddedSegments([ids.length], ids.length);
  return ops.softmax(model.classify(model.forward(tensor(backend, ids, [1, ids.length]), { segments }), { segments }));
});
const [bad, good] = await probabilities.data();
console.log(`"${text}": ${good > bad ? 'good' : 'bad'} (${Math.max(good, bad).toFixed(2)})`);
backend.close();
