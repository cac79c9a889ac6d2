/** The options of `performers train` and `performers finetune`. */

import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type CommandCases, type OptionCase, replaced, type Seen } from './case.ts';
import { at, filesBelow, newPath, readJson, runCommand } from './in-process.ts';

const tinyModel = { dModel: 12, numLayers: 1, numHeads: 3, dFeedForward: 16, dropout: 0 };
const attention = { type: 'favor', numFeatures: 8 };
const sentence = (i: number) => `The whale number ${i * 37} swims past ${i % 7} ships. `;
const text = Array.from({ length: 60 }, (_, i) => sentence(i)).join('');
const others = 'Snow is cold and sand is warm, says the old sailor. '.repeat(20);
export const records = Array.from({ length: 30 }, (_, i) => ({
  text: sentence(i),
  body: `${sentence(i)}${others}`,
  label: i % 2,
  kind: i % 3,
}));

/** Data, configurations and runs that the cases share. */
export async function writeTrainingFixtures(): Promise<void> {
  writeFileSync(at('text.txt'), text);
  writeFileSync(at('others.txt'), others);
  writeFileSync(at('records.jsonl'), records.map((record) => JSON.stringify(record)).join('\n'));
  mkdirSync(at('documents'));
  for (let i = 0; i < 9; i++) writeFileSync(at('documents', `${i}.txt`), sentence(i));
  writeFileSync(at('tiny.json'), JSON.stringify({ model: { ...tinyModel, attention } }));
  writeFileSync(at('wide.json'), JSON.stringify({ model: { ...tinyModel, dModel: 24, attention } }));
  const { dModel: _, numHeads: __, ...depth } = tinyModel;
  writeFileSync(at('depth.json'), JSON.stringify({ model: { ...depth, attention } }));
  writeFileSync(at('rate.json'), JSON.stringify({ training: { learningRate: 0.25 } }));
  const train = async (out: string, ...args: string[]) => {
    const made = ['train', '--data', at('text.txt'), '--tokenizer', 'bytes', '--batch-size', '2', '--length', '16'];
    const usual = [...made, '--steps', '2', '--config', at('tiny.json'), '--out', at(out)];
    const { error } = await runCommand(replaced(usual, args));
    expect(error).toBeUndefined();
  };
  await train('favor');
  await train('exact', '--attention', 'exact', '--seed', '5', '--learning-rate', '0.01', '--steps', '4');
  await train('auto', '--attention', 'auto');
  await train('wide', '--config', at('wide.json'));
  const classified = ['--data', at('records.jsonl'), '--format', 'labelled', '--objective', 'classification'];
  await train('classes', ...classified, '--packing', 'pad');
}

export const hashOf = (path: string): string | undefined =>
  existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined;

async function observe(args: readonly string[], out: string): Promise<Seen> {
  const ran = await runCommand(args);
  const metrics = existsSync(join(out, 'metrics.jsonl'))
    ? readFileSync(join(out, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
  const checkpoints = filesBelow(join(out, 'checkpoints')).filter((name) => /^step-\d+$/.test(name));
  const newest = join(out, 'checkpoints', checkpoints.at(-1) ?? 'none');
  const tokens = /([\d,]+) training tokens, ([\d,]+) held out/.exec(ran.stderr) ?? [];
  const [, training, heldOut] = tokens.map((count) => Number(count.replaceAll(',', '')));
  return {
    ...ran,
    json: ran.stdout.startsWith('{') ? JSON.parse(ran.stdout) : {},
    steps: metrics.filter(({ loss }) => loss !== undefined),
    evaluations: metrics.filter(({ heldOutLoss }) => heldOutLoss !== undefined),
    ...{ checkpoints, training, heldOut, isOut: existsSync(out) },
    model: readJson(newest, 'config.json') ?? {},
    tokenizer: hashOf(join(newest, 'tokenizer.json')),
  };
}

const firstLoss = ({ steps }: Seen) => steps[0]?.loss;
const differs = (part: (seen: Seen) => unknown) => (seen: Seen, without: Seen) => {
  expect(seen.error).toBeUndefined();
  expect(part(seen)).not.toEqual(part(without));
};

/** Of both commands. `length` tokens in a row and `steps` updates of 2 rows are those of the base. */
const common = (name: string, learningRate: number): Record<string, OptionCase> => ({
  '--data': {
    args: ['--data', at('others.txt')],
    check: ({ training }) => expect(training).toBe(others.length * 0.9),
    resolved: ['files.0', at('others.txt')],
  },
  '--format': {
    args: ['--format', 'text'],
    beside: ['--data', at('records.jsonl'), '--split', 'none'],
    // Read as text, the names of the fields are tokens too.
    check: ({ training }) => expect(training).toBe(readFileSync(at('records.jsonl')).length),
    resolved: ['dataset.format', 'text'],
  },
  '--text-field': {
    args: ['--text-field', 'body'],
    beside: ['--data', at('records.jsonl'), '--split', 'none'],
    check: ({ training }) => expect(training).toBeGreaterThan(records.length * others.length),
    resolved: ['dataset.text', 'body'],
  },
  '--out': {
    args: ['--out', at(name)],
    check: ({ isOut }) => expect([isOut, existsSync(at(name, 'run.json'))]).toEqual([false, true]),
    resolved: ['out', at(name)],
  },
  '--packing': {
    args: ['--packing', 'pad'],
    beside: ['--data', at('documents/*.txt'), '--split', 'document'],
    check: differs(firstLoss),
    resolved: ['training.packing', 'pad'],
  },
  '--split': {
    args: ['--split', 'none'],
    check: ({ training, heldOut }) => expect([training, heldOut]).toEqual([text.length, 0]),
    resolved: ['split.by', 'none'],
  },
  '--held-out': {
    args: ['--held-out', '0.25'],
    check: ({ heldOut }) => expect(heldOut).toBe(Math.round(text.length / 4)),
    resolved: ['split.fraction', 0.25],
  },
  '--steps': {
    args: ['--steps', '3'],
    check: ({ steps, json }) => expect([steps.length, json.step]).toEqual([3, 3]),
    resolved: ['training.steps', 3],
  },
  '--minutes': {
    args: ['--minutes', '0.00001'],
    beside: ['--steps', '9'],
    check: ({ steps }) => expect(steps.length).toBe(1),
    resolved: ['minutes', 0.00001],
  },
  '--batch-size': {
    args: ['--batch-size', '3'],
    check: ({ json }) => expect(json.tokens).toBe(2 * 3 * 16),
    resolved: ['training.batchSize', 3],
  },
  '--length': {
    args: ['--length', '11'],
    check: ({ json }) => expect(json.tokens).toBe(2 * 2 * 11),
    resolved: ['training.length', 11],
  },
  '--accumulate': {
    args: ['--accumulate', '3'],
    check: ({ json }) => expect(json.tokens).toBe(3 * 2 * 2 * 16),
    resolved: ['training.accumulate', 3],
  },
  '--learning-rate': {
    args: ['--learning-rate', '0.0625'],
    check: ({ steps }) => expect(steps[0].learningRate).toBe(0.0625),
    resolved: ['training.learningRate', 0.0625],
  },
  '--warmup-steps': {
    args: ['--warmup-steps', '4'],
    check: ({ steps }) => expect(steps[0].learningRate).toBeCloseTo(learningRate / 4, 12),
    resolved: ['training.warmupSteps', 4],
  },
  '--evaluate-every': {
    args: ['--evaluate-every', '1'],
    check: ({ evaluations }) => expect(evaluations.map(({ step }: Seen) => step)).toEqual([1, 2]),
    resolved: ['training.evaluateEvery', 1],
  },
  '--evaluation-batches': {
    args: ['--evaluation-batches', '1'],
    // Four rows each.
    check: ({ json }) => expect(json.evaluation.tokens).toBe(4 * 16),
    resolved: ['evaluationBatches', 1],
  },
  '--checkpoint-every': {
    args: ['--checkpoint-every', '1'],
    check: ({ checkpoints }) => expect(checkpoints).toEqual(['step-00000001', 'step-00000002']),
    resolved: ['training.checkpointEvery', 1],
  },
  '--keep-checkpoints': {
    args: ['--keep-checkpoints', '1'],
    beside: ['--checkpoint-every', '1'],
    check: ({ checkpoints }) => expect(checkpoints).toEqual(['step-00000002']),
    resolved: ['training.keepCheckpoints', 1],
  },
});

const changesModel = (
  args: readonly string[],
  path: string,
  value: unknown,
  more: Partial<OptionCase> = {},
): OptionCase => ({
  args,
  check: ({ model, error }) => {
    expect(error).toBeUndefined();
    expect(model).toHaveProperty(path, value);
  },
  resolved: [`model.${path}`, value],
  ...more,
});

export function trainCases(): CommandCases {
  const usual = ['--config', at('tiny.json'), '--tokenizer', 'bytes', '--batch-size', '2', '--length', '16'];
  const goesOn = newPath();
  return {
    base: ['train', '--data', at('text.txt'), ...usual, '--steps', '2', '--json', '--out', 'OUT'],
    observe,
    prepare: async () => cpSync(at('favor'), goesOn, { recursive: true }),
    options: {
      ...common('trained', 1e-3),
      '--label-field': changesModel(['--label-field', 'kind'], 'numClasses', 3, {
        beside: ['--data', at('records.jsonl'), '--format', 'labelled', '--objective', 'classification'],
        resolved: ['dataset.label', 'kind'],
      }),
      '--config': changesModel(['--config', at('wide.json')], 'dModel', 24),
      '--resume': {
        args: ['--resume'],
        only: ['train', '--out', goesOn, '--steps', '3', '--json'],
        check: ({ json }) => expect(json.step).toBe(3),
        resolved: ['resume', join(goesOn, 'checkpoints/step-00000002')],
      },
      '--preset': changesModel(['--preset', 'small'], 'dModel', 64, { beside: ['--config', at('depth.json')] }),
      '--objective': changesModel(['--objective', 'masked-token'], 'causal', false, {
        resolved: ['training.objective.type', 'maskedToken'],
      }),
      '--attention': changesModel(['--attention', 'exact'], 'attention.type', 'exact'),
      '--features': changesModel(['--features', '10'], 'attention.numFeatures', 10),
      '--feature-map': changesModel(['--feature-map', 'hyperbolic'], 'attention.featureMap.type', 'hyperbolic'),
      '--projection': changesModel(['--projection', 'givens'], 'attention.projection', 'givens'),
      '--near-field': changesModel(['--near-field', '8'], 'attention.nearField.block', 8),
      '--sinks': changesModel(['--sinks', '3'], 'attention.nearField.sinks', 3, { beside: ['--near-field', '8'] }),
      '--reversible': changesModel(['--reversible'], 'reversible', true),
      '--feed-forward-chunks': changesModel(['--feed-forward-chunks', '2'], 'feedForwardChunks', 2),
      '--tokenizer': changesModel(
        ['--tokenizer', 'characters'],
        'vocabSize',
        new Set(text.slice(0, text.length * 0.9)).size + 1,
        {
          resolved: ['tokenizer.type', 'characters'],
        },
      ),
      '--vocab-size': changesModel(['--vocab-size', '270'], 'vocabSize', 270, { beside: ['--tokenizer', 'bpe'] }),
      '--seed': { args: ['--seed', '3'], check: differs(firstLoss), resolved: ['training.seed', 3] },
    },
  };
}

export function finetuneCases(): CommandCases {
  const usual = ['--batch-size', '2', '--length', '16', '--steps', '2', '--json'];
  const goesOn = newPath();
  return {
    base: ['finetune', '--from', at('favor'), '--data', at('text.txt'), ...usual, '--out', 'OUT'],
    observe,
    prepare: async () => {
      const made = ['finetune', '--from', at('favor'), '--data', at('text.txt'), ...usual, '--out', goesOn];
      expect((await runCommand(made)).error).toBeUndefined();
    },
    options: {
      ...common('finetuned', 1e-4),
      '--from': changesModel(['--from', at('wide')], 'dModel', 24),
      '--config': {
        args: ['--config', at('rate.json')],
        check: ({ steps }) => expect(steps[0].learningRate).toBe(0.25),
        resolved: ['training.learningRate', 0.25],
      },
      '--resume': {
        args: ['--resume'],
        only: ['finetune', '--out', goesOn, '--steps', '3', '--json'],
        check: ({ json }) => expect(json.step).toBe(3),
        resolved: ['resume', join(goesOn, 'checkpoints/step-00000002')],
      },
      '--distill': {
        args: ['--distill', at('exact')],
        check: ({ steps }) => expect(steps[0].attentionError).toBeGreaterThan(0),
        resolved: ['training.distillation.teacher', at('exact')],
      },
      '--objective': {
        args: ['--objective', 'distillation'],
        beside: ['--distill'],
        check: ({ stderr }) => expect(stderr).toMatch(/held out: errors against the teacher/),
        resolved: ['training.objective.type', 'distillation'],
      },
      '--dropout': {
        args: ['--dropout', '0.5'],
        check: (seen, without) => {
          expect(seen.model.dropout).toBe(0.5);
          differs(firstLoss)(seen, without);
        },
        resolved: ['model.dropout', 0.5],
      },
      '--seed': { args: ['--seed', '3'], check: differs(firstLoss), resolved: ['training.seed', 3] },
    },
  };
}
