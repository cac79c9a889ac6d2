// Trains a small Performer on your text, then lets the model write: node examples/train-text.ts BOOK.txt. Without a file the
// text is a nursery rhyme, which the model soon knows by heart.
// Run: node examples/train-text.ts (Node 22.18 or newer, after `npm run build`). Takes some seconds.
import { readFileSync } from 'node:fs';
import { createBackend, streamText, Transformer } from 'performers';
import { fromTexts, trainingWindows } from 'performers/data';
import { ByteTokenizer } from 'performers/tokenizers';
import { parseTrainingConfiguration, Trainer } from 'performers/training';

const rhyme =
  'Humpty Dumpty sat on a wall, Humpty Dumpty had a great fall. All the horses and all the men could not put Humpty together again. ';
const text = process.argv[2] ? readFileSync(process.argv[2], 'utf8') : rhyme.repeat(20);

const backend = await createBackend();
const tokenizer = new ByteTokenizer();
const { train } = await fromTexts([text], tokenizer, { by: 'tail' });
const model = new Transformer(backend, {
  ...{ vocabSize: tokenizer.vocabSize, dModel: 64, numLayers: 2, numHeads: 2, dFeedForward: 128 },
  ...{ positions: 'rotary', attention: { type: 'favor', numFeatures: 64 } },
});
const configuration = parseTrainingConfiguration({
  steps: 80,
  batchSize: 8,
  length: 64,
  learningRate: 6e-3,
  warmupSteps: 10,
});
const { batchSize, length, seed } = configuration;
const data = trainingWindows(train, { batchSize, length, seed });
const trainer = new Trainer({ model, data, configuration });
for (let step = 0; step < configuration.steps; step++) {
  const { loss } = await trainer.step();
  if (step % 20 === 0 || step === configuration.steps - 1) console.log(`step ${step}: loss ${loss.toFixed(3)}`);
}

let written = '';
for await (const piece of streamText(model, tokenizer, 'Humpty ', { maxTokens: 60, temperature: 0.3 }))
  written += piece;
console.log(`Humpty ${written}`);
backend.close();
