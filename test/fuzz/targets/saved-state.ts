/** Saved decoding states as JSON, of exact attention and FAVOR+; what is accepted takes one more token. */

import { parseJson } from '../../../src/entries/internal.ts';
import {
  createBackend,
  Decoder,
  type SavedStateJson,
  savedStateToJson,
  Transformer,
} from '../../../src/entries/performers.ts';
import { bytes, text } from '../files.ts';
import { mutateJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const FILE = 'state.json';
const attentions = ['exact', { type: 'favor', numFeatures: 5 }] as const;

async function models() {
  const backend = await createBackend({ numThreads: 1 });
  const sizes = { vocabSize: 11, dModel: 6, numLayers: 1, numHeads: 2, dFeedForward: 7, positions: 'none' as const };
  return attentions.map((attention) => new Transformer(backend, { ...sizes, attention }, 3));
}

export const savedState: Target = {
  name: 'saved-state',
  async seeds() {
    const seeds = [];
    for (const model of await models()) {
      const decoder = new Decoder(model);
      await decoder.feed([1, 2, 3]);
      const saved = (await decoder.save()).map(savedStateToJson);
      seeds.push({ [FILE]: bytes(JSON.stringify(saved)) });
      decoder.dispose();
    }
    return seeds;
  },
  mutate: (random, seed) => ({ [FILE]: mutateJson(random, seed[FILE]!) }),
  async start() {
    const restorers = await models();
    return async (files) => {
      const saved = parseJson(text(files[FILE]!), FILE) as SavedStateJson[];
      const isExact = text(files[FILE]!).includes('"exact"');
      const decoder = new Decoder(restorers[isExact ? 0 : 1]!, saved);
      await decoder.feed([4]);
      decoder.dispose();
    };
  },
};
