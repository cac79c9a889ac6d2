/** What `performers train --preset NAME` stands for: sizes of a model, or one of the paper's trainings. */
import { transformerPresets } from '../../src/entries/performers.ts';
import type { RunOptions } from './configuration.ts';

export interface Preset {
  /** One line. */
  readonly description: string;
  readonly configuration: RunOptions;
}

const size = (name: keyof typeof transformerPresets): RunOptions => {
  const { vocabSize: _, ...model } = transformerPresets[name];
  return { model };
};

/** The paper's sizes for text, images and concatenated proteins, with positions that windows of any start suit. */
const regular = { ...size('regular').model, positions: 'rotary' };

/** The paper's unqualified Performer, with its 256 orthogonal features. */
const relu = { type: 'favor', featureMap: 'relu', numFeatures: 256, projection: 'orthogonal' };

/** Whole organisms are out of distribution; of the other records some are held out. */
const byOrganism = { by: 'group', fraction: 0.1, heldOut: 0.05, seed: 0 } as const;

/** Single proteins from FASTA, as many to a row as fit. */
const proteins = {
  dataset: { format: 'fasta' },
  split: byOrganism,
  tokenizer: { type: 'protein' },
  evaluationBatches: 16,
} as const;

/** 36 layers of TrEMBL: layers recomputed and a row at a time, so that activations take little beside the weights. */
const deep = {
  dModel: 512,
  numLayers: 36,
  numHeads: 8,
  dFeedForward: 1024,
  positions: 'rotary',
  reversible: true,
  attention: relu,
};

/** The paper's optimizer is the default of every run. */
const presets = {
  compact: { description: 'model: 4 layers of 256, what two cores train in minutes', configuration: size('compact') },
  regular: { description: "model: the paper's, 6 layers of 512", configuration: size('regular') },
  small: { description: "model: the paper's small one, 6 layers of 64", configuration: size('small') },
  pg19: {
    description: 'books as in Figure 5: unigram vocabulary of 32,768, next token, L = 1024',
    configuration: {
      dataset: { format: 'pg19' },
      tokenizer: { type: 'unigram', vocabSize: 32_768 },
      model: { ...regular, attention: { type: 'favor', numFeatures: 256, redrawInterval: 1000 } },
      training: { length: 1024, batchSize: 2, accumulate: 4, warmupSteps: 100 },
      evaluationBatches: 16,
    },
  },
  'protein-lm': {
    description: 'proteins from FASTA, next residue, whole sequences packed, organisms held out',
    configuration: {
      ...proteins,
      model: { ...size('compact').model, attention: relu },
      training: { length: 1024, packing: 'pack' },
    },
  },
  'protein-mlm': {
    description: 'the same, 15 % of the residues masked',
    configuration: {
      ...proteins,
      model: { ...size('compact').model, attention: relu },
      training: { length: 1024, packing: 'pack', objective: { type: 'maskedToken' } },
    },
  },
  trembl: {
    description: "the paper's TrEMBL model (Figure 6): 36 layers of 512, ReLU features, masked, L = 1024",
    configuration: {
      ...proteins,
      model: deep,
      training: { length: 1024, packing: 'pack', batchSize: 1, accumulate: 2, objective: { type: 'maskedToken' } },
      evaluationBatches: 4,
    },
  },
  'trembl-concatenated': {
    description: 'proteins end to end (Figure 7): 6 layers of 512, windows of L = 8192, next residue',
    configuration: {
      ...proteins,
      model: { ...regular, attention: relu },
      training: { length: 8192, packing: 'windows', batchSize: 1, accumulate: 8 },
      evaluationBatches: 4,
    },
  },
  images: {
    description: 'ImageNet64 or folders of images (Figure 7): next value of 12,288, bits per dimension',
    configuration: {
      dataset: { format: 'images', size: 64 },
      tokenizer: { type: 'pixels' },
      model: { ...regular, attention: relu },
      training: { length: 12_288, packing: 'pad', batchSize: 1, accumulate: 8 },
      evaluationBatches: 4,
    },
  },
  listops: {
    description: 'Long Range Arena: value of an expression, from its .tsv files, or without --data from generated ones',
    configuration: {
      // A fifth of the Long Range Arena's, drawn in half a minute.
      dataset: { format: 'listops', numTraining: 20_000, numTest: 1000 },
      tokenizer: { type: 'characters' },
      model: { dModel: 512, numLayers: 6, numHeads: 8, dFeedForward: 1024, attention: relu },
      training: { length: 2000, objective: { type: 'classification' }, batchSize: 4, accumulate: 8, warmupSteps: 1000 },
      evaluationBatches: 50,
    },
  },
  'text-classification': {
    description: 'Long Range Arena: class of a text by its bytes, L = 4096; a class is the name of a folder',
    configuration: {
      tokenizer: { type: 'bytes' },
      model: { dModel: 256, numLayers: 4, numHeads: 4, dFeedForward: 1024, attention: relu },
      training: { length: 4096, objective: { type: 'classification' }, batchSize: 4, accumulate: 8, warmupSteps: 1000 },
      evaluationBatches: 50,
    },
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;

export const presetNames = Object.keys(presets) as PresetName[];

export const presetOf = (name: PresetName): Preset => presets[name];

/** The presets and what they are, for `train --help`. */
export function describePresets(): string {
  const width = Math.max(...presetNames.map((name) => name.length));
  const lines = presetNames.map((name) => `  ${name.padEnd(width)}  ${presets[name].description}`);
  return ['', 'Presets (--config and flags override what they set):', ...lines].join('\n');
}
