import {
  type Backend,
  Transformer,
  type TransformerOptions,
  transformerPresets,
} from '../../src/entries/performers.ts';
import { parseTrainingConfiguration, Trainer } from '../../src/entries/training.ts';
import { type BenchmarkCase, type Check, compare, releaseAll, type Subjects } from '../case.ts';
import type { Subject } from '../measure.ts';
import type { TrainingSize } from '../peers/peer.ts';

const lengths = [4096, 16_384];
const attentions = ['favor', 'exact'] as const;
type Attention = (typeof attentions)[number];

export const NUM_FEATURES = 256;
export const labelOf = (attention: Attention, length: number) => `${attention}, L=${length}`;

export function createTrainer(
  backend: Backend,
  size: TrainingSize,
  attention: Attention,
  numFeatures: number,
  options: Partial<TransformerOptions> = {},
): Trainer {
  const { batchSize, length, ...architecture } = size;
  const model = new Transformer(backend, {
    ...architecture,
    positions: 'rotary',
    maxLength: length,
    attention: attention === 'favor' ? { type: 'favor', numFeatures, redrawInterval: 0 } : { type: 'exact' },
    ...options,
  });
  const batchAt = (index: number) => {
    const tokens = Int32Array.from({ length: batchSize * length + 1 }, (_, i) => ((i + index) * 7919) % size.vocabSize);
    return { inputs: tokens.slice(0, -1), targets: tokens.slice(1), batchSize, length };
  };
  return new Trainer({ model, data: { batchAt }, configuration: parseTrainingConfiguration({ batchSize, length }) });
}

/** Products with weights: 2 flops per weight and token forward, 4 backward; attention as in its own benchmark. */
export function flopsOf(size: TrainingSize, attention: Attention): number {
  const { dModel, numLayers, dFeedForward, vocabSize, batchSize, length } = size;
  const weights = numLayers * (4 * dModel ** 2 + 2 * dModel * dFeedForward) + vocabSize * dModel;
  const perLayer = attention === 'favor' ? 20 * length * NUM_FEATURES * dModel : 7 * length ** 2 * dModel;
  return 6 * weights * batchSize * length + numLayers * batchSize * perLayer;
}

/** A step with either attention at each size. */
export async function prepareSteps(backend: Backend, sizes: readonly TrainingSize[]): Promise<Subjects> {
  const subjects: Subject[] = [];
  const releases: (() => void)[] = [];
  for (const size of sizes) {
    const { length } = size;
    for (const attention of attentions) {
      const trainer = createTrainer(backend, size, attention, NUM_FEATURES);
      subjects.push({
        label: labelOf(attention, length),
        flops: flopsOf(size, attention),
        tokens: size.batchSize * length,
        run: async () => void (await trainer.step()),
      });
      releases.push(() => {
        trainer.dispose();
        trainer.model.dispose();
      });
    }
  }
  const comparisons = sizes.map(({ length }) => [labelOf('exact', length), labelOf('favor', length)] as const);
  return { subjects, comparisons, release: () => releaseAll(releases) };
}

export const trainingStep: BenchmarkCase = {
  name: 'training-step',
  description:
    'preset regular (6 layers, d = 512, d_ff = 2048), batch 1, causal: forward, backward, clipping, AdamW; ' +
    '6 flops per weight and token, attention as in its own cases',

  async check(backend, reference) {
    const tiny = { dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 20, vocabSize: 17, batchSize: 2, length: 23 };
    const checks: Check[] = [];
    for (const attention of attentions) {
      const run = async (on: Backend): Promise<{ losses: number[]; norms: number[] }> => {
        const trainer = createTrainer(on, tiny, attention, 13);
        const losses: number[] = [];
        const norms: number[] = [];
        for (let step = 0; step < 3; step++) {
          const { loss, gradientNorm } = await trainer.step();
          losses.push(loss);
          norms.push(gradientNorm);
        }
        trainer.dispose();
        trainer.model.dispose();
        return { losses, norms };
      };
      const [values, expected] = [await run(backend), await run(reference)];
      checks.push(compare(`${attention}, loss of three steps`, values.losses, expected.losses, 1e-6));
      checks.push(compare(`${attention}, gradient norms of three steps`, values.norms, expected.norms, 1e-5));
    }
    return checks;
  },

  prepare: (backend) =>
    prepareSteps(
      backend,
      lengths.map((length) => ({ ...transformerPresets.regular, batchSize: 1, length })),
    ),
};
