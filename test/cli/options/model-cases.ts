/** The options of the commands that read a model, of the experiments and of the demonstration. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createBackend, loadModel, streamText } from '../../../src/entries/performers.ts';
import type { CommandCases, Seen } from './case.ts';
import { at, filesBelow, readJson, runCommand } from './in-process.ts';
import { hashOf, records } from './training-cases.ts';

const golden = join(import.meta.dirname, '../../golden/transformers');

async function observeJson(args: readonly string[]): Promise<Seen> {
  const ran = await runCommand(args);
  return { ...ran, json: ran.stdout.startsWith('{') ? JSON.parse(ran.stdout) : {} };
}

const differs = (part: (seen: Seen) => unknown) => (seen: Seen, without: Seen) => {
  expect(seen.error).toBeUndefined();
  expect(part(seen)).not.toEqual(part(without));
};

/** What the library itself continues with; the defaults are those of the command. */
async function continued(options: Record<string, unknown>, prompt = 'The whale', model = 'favor'): Promise<string> {
  const backend = await createBackend({ numThreads: 1 });
  try {
    const loaded = await loadModel(backend, at(model));
    const sampling = { maxTokens: 8, temperature: 0.8, topK: 0, topP: 0.95, seed: 0, ...options };
    let text = '';
    for await (const piece of streamText(loaded.model, loaded.tokenizer, prompt, sampling)) text += piece;
    return text;
  } finally {
    backend.close();
  }
}

export function generateCases(): CommandCases {
  const gives =
    (...expected: Parameters<typeof continued>) =>
    async ({ json }: Seen) =>
      expect(json.text).toBe(await continued(...expected));
  return {
    base: ['generate', '--model', at('favor'), '--prompt', 'The whale', '--tokens', '8', '--json'],
    observe: observeJson,
    options: {
      '--model': {
        args: ['--model', at('exact')],
        check: gives({}, 'The whale', 'exact'),
        resolved: ['model', at('exact/checkpoints/step-00000004')],
      },
      '--prompt': { args: ['--prompt', 'Snow'], check: gives({}, 'Snow'), resolved: ['prompt', 'Snow'] },
      '--tokens': { args: ['--tokens', '3'], check: gives({ maxTokens: 3 }), resolved: ['tokens', 3] },
      '--temperature': {
        args: ['--temperature', '3'],
        check: gives({ temperature: 3 }),
        resolved: ['temperature', 3],
      },
      '--top-k': { args: ['--top-k', '2'], check: gives({ topK: 2 }), resolved: ['topK', 2] },
      '--top-p': { args: ['--top-p', '0.05'], check: gives({ topP: 0.05 }), resolved: ['topP', 0.05] },
      '--seed': { args: ['--seed', '7'], check: gives({ seed: 7 }), resolved: ['seed', 7] },
    },
  };
}

export function evaluateCases(): CommandCases {
  const bits = differs(({ json }) => json.bitsPerToken);
  return {
    base: ['evaluate', '--model', at('exact'), '--data', at('others.txt'), '--length', '16', '--json'],
    observe: observeJson,
    options: {
      '--model': {
        args: ['--model', at('favor')],
        check: bits,
        resolved: ['model', at('favor/checkpoints/step-00000002')],
      },
      '--data': {
        args: ['--data', at('text.txt')],
        check: ({ json }) => expect(json.characters).toBe(readFileSync(at('text.txt')).length),
        resolved: ['files.0', at('text.txt')],
      },
      '--format': {
        args: ['--format', 'jsonl'],
        // The run's own data is text.
        beside: ['--data', at('records.jsonl')],
        check: ({ json }) => expect(json.characters).toBe(records.reduce((sum, { text }) => sum + text.length, 0)),
        resolved: ['dataset.format', 'jsonl'],
      },
      '--text-field': {
        args: ['--text-field', 'body'],
        beside: ['--data', at('records.jsonl'), '--format', 'jsonl'],
        check: ({ json }) => expect(json.characters).toBeGreaterThan(30 * 1000),
        resolved: ['dataset.text', 'body'],
      },
      '--label-field': {
        args: ['--label-field', 'kind'],
        // With two classes, the third of the field cannot be a class.
        only: ['evaluate', '--model', at('classes'), '--data', at('records.jsonl'), '--json'],
        check: (seen, without) => {
          expect(seen.error ?? seen.json.accuracy).not.toEqual(without.error ?? without.json.accuracy);
        },
        resolved: ['dataset.label', 'kind'],
      },
      '--length': { args: ['--length', '4'], check: bits, resolved: ['length', 4] },
    },
  };
}

export function infoCases(): CommandCases {
  return {
    base: ['info', '--model', at('favor'), '--json'],
    observe: observeJson,
    options: {
      '--model': { args: ['--model', at('wide')], check: ({ json }) => expect(json.model.dModel).toBe(24) },
    },
  };
}

async function observeConversion(args: readonly string[], out: string): Promise<Seen> {
  const seen = await observeJson(args);
  return {
    ...seen,
    isOut: existsSync(out),
    report: seen.json.report ?? {},
    model: readJson(out, 'config.json') ?? {},
    weights: hashOf(join(out, 'model.safetensors')),
  };
}

export function convertCases(): CommandCases {
  const few = ['--ladder', '8', '--estimators', 'positive', '--sequences', '8', '--length', '16', '--features', '8'];
  const measured = ['convert', '--from', at('exact'), '--data', at('text.txt'), ...few, '--json', '--out', 'OUT'];
  const plain = ['convert', '--from', at('exact'), '--json', '--out', 'OUT'];
  return {
    base: measured,
    observe: observeConversion,
    options: {
      '--from': {
        args: ['--from', at('wide')],
        check: ({ model }) => expect(model.dModel).toBe(24),
        resolved: ['from', at('wide')],
      },
      '--out': {
        args: ['--out', at('converted')],
        check: ({ isOut }) => expect([isOut, existsSync(at('converted/config.json'))]).toEqual([false, true]),
        resolved: ['out', at('converted')],
      },
      '--attention': {
        args: ['--attention', 'auto'],
        only: plain,
        check: ({ model }) => expect(model.attention.type).toBe('auto'),
        resolved: ['attention.type', 'auto'],
      },
      '--features': {
        args: ['--features', '12'],
        only: plain,
        check: ({ model }) => expect(model.attention.numFeatures).toBe(12),
        resolved: ['attention.numFeatures', 12],
      },
      '--kernel': {
        args: ['--kernel', 'smreg'],
        check: ({ model }) => expect(model.attention.featureMap.type).toBe('smreg'),
        resolved: ['kernel', 'smreg'],
      },
      '--projection': {
        args: ['--projection', 'givens'],
        check: ({ model }) => expect(model.attention.projection).toBe('givens'),
        resolved: ['attention.projection', 'givens'],
      },
      '--near-field': {
        args: ['--near-field', '4'],
        check: ({ model, report }) =>
          expect([model.attention.nearField.block, report.chosen?.attention.nearField.block]).toEqual([4, 4]),
        resolved: ['attention.nearField.block', 4],
      },
      '--sinks': {
        args: ['--sinks', '2'],
        beside: ['--near-field', '4'],
        check: ({ model }) => expect(model.attention.nearField.sinks).toBe(2),
        resolved: ['attention.nearField.sinks', 2],
      },
      '--keep-exact': {
        args: ['--keep-exact', '0'],
        check: ({ model, report }) => expect([model.exactLayers, report.chosen?.exactLayers]).toEqual([[0], [0]]),
        resolved: ['keepExact', [0]],
      },
      '--auto': {
        args: ['--auto', '1000'],
        only: replacedFeatures(measured),
        check: ({ model }) => expect(model.attention.numFeatures).toBe(8),
        resolved: ['auto', 1000],
      },
      '--max-length': {
        args: ['--max-length', '97'],
        only: ['convert', '--from', join(golden, 'bert'), '--json', '--out', 'OUT'],
        check: ({ model }) => expect(model.maxLength).toBe(97),
        resolved: ['maxLength', 97],
      },
      '--data': {
        args: ['--data', at('text.txt')],
        only: plain,
        check: ({ report }) => expect(report.sequences).toBeGreaterThan(0),
        resolved: ['measured.data', [at('text.txt')]],
      },
      '--format': {
        args: ['--format', 'text'],
        beside: ['--data', at('records.jsonl'), '--sequences', '100000', '--no-balance'],
        // Windows of the whole file, not one padded row for each record.
        check: ({ report }) => expect(report.numTokens).toBeGreaterThan(readFileSync(at('records.jsonl')).length - 64),
        resolved: ['measured.format', 'text'],
      },
      '--text-field': {
        args: ['--text-field', 'body'],
        beside: ['--data', at('records.jsonl'), '--no-balance'],
        check: differs(({ report }) => report.exact?.loss),
        resolved: ['measured.textField', 'body'],
      },
      '--sequences': {
        args: ['--sequences', '4'],
        check: ({ report }) => expect(report.sequences).toBe(4),
        resolved: ['measured.sequences', 4],
      },
      '--length': {
        args: ['--length', '11'],
        check: ({ report }) => expect(report.numTokens).toBe(8 * 11),
        resolved: ['measured.length', 11],
      },
      '--ladder': {
        args: ['--ladder', '4,6'],
        check: ({ report }) => expect(report.ladder.map(({ numFeatures }: Seen) => numFeatures)).toEqual([4, 6]),
        resolved: ['measured.ladder', [4, 6]],
      },
      '--estimators': {
        args: ['--estimators', 'smreg', 'hyperbolic'],
        check: ({ report }) =>
          expect(report.ladder.map(({ estimator }: Seen) => estimator)).toEqual(['smreg', 'hyperbolic']),
        resolved: ['measured.estimators', ['smreg', 'hyperbolic']],
      },
      '--no-balance': {
        args: ['--no-balance'],
        check: (seen, without) => {
          expect(seen.stderr).not.toContain('are balanced on');
          differs(({ weights }) => weights)(seen, without);
        },
        resolved: ['measured.balance', false],
      },
      '--seed': {
        args: ['--seed', '3'],
        only: plain,
        check: differs(({ weights }) => weights),
        resolved: ['seed', 3],
      },
    },
  };
}

/** Without --features, which --auto finds. */
const replacedFeatures = (args: readonly string[]) =>
  args.filter((_, i) => args[i] !== '--features' && args[i - 1] !== '--features');

async function observeExport(args: readonly string[], out: string): Promise<Seen> {
  const seen = await observeJson(args);
  const step = join(out, 'onnx/model.onnx');
  return { ...seen, files: filesBelow(out), graph: existsSync(step) ? readFileSync(step, 'latin1') : '' };
}

export function exportCases(): CommandCases {
  return {
    base: ['export', '--from', at('favor'), '--to', 'onnx', '--json', '--out', 'OUT'],
    observe: observeExport,
    options: {
      '--from': {
        args: ['--from', at('wide')],
        check: differs(({ json }) => json.files),
        resolved: ['from', at('wide/checkpoints/step-00000002')],
      },
      '--to': {
        args: ['--to', 'huggingface'],
        only: ['export', '--from', at('gpt2'), '--to', 'onnx', '--json', '--out', 'OUT'],
        check: ({ files }) => expect(files).toContain('model.safetensors'),
        resolved: ['to', 'huggingface'],
      },
      '--out': {
        args: ['--out', at('exported')],
        check: ({ files }) => expect([files, existsSync(at('exported/onnx/model.onnx'))]).toEqual([[], true]),
        resolved: ['out', at('exported')],
      },
      '--graphs': {
        args: ['--graphs', 'sequence'],
        check: ({ files }) => {
          expect(files).toContain('onnx/decoder_model.onnx');
          expect(files).not.toContain('onnx/model.onnx');
        },
        resolved: ['graphs', ['sequence']],
      },
      '--outputs': {
        args: ['--outputs', 'last_hidden_state'],
        check: differs(({ json }) => json.files.find(({ name }: Seen) => name === 'onnx/decoder_model.onnx')),
        resolved: ['outputs', ['last_hidden_state']],
      },
      '--auto-as': {
        args: ['--auto-as', 'exact'],
        only: ['export', '--from', at('auto'), '--to', 'onnx', '--json', '--out', 'OUT'],
        check: ({ graph }) => {
          expect(graph.length).toBeGreaterThan(0);
          expect(graph).not.toContain('projection');
        },
        resolved: ['autoAs', 'exact'],
      },
    },
  };
}

const fig2 = {
  ...{ dHead: 2, numDirections: 2, draws: 300, gridAngles: 3, gridLengths: 2, maxLength: 1 },
  ...{ sliceLength: 0.5, sliceAngles: 4, maxRelativeError: 0.2, seed: 2 },
};

export function reproduceCases(): CommandCases {
  writeFileSync(at('fig2.json'), JSON.stringify(fig2));
  writeFileSync(at('more.json'), JSON.stringify({ ...fig2, draws: 500 }));
  const page = 'Before.\n<!-- fig2 -->\n<!-- /fig2 -->\n';
  writeFileSync(at('page.md'), page);
  return {
    base: ['reproduce', 'fig2', '--config', at('fig2.json'), '--json', '--out', 'OUT'],
    observe: async (args, out) => {
      const seen = await observeJson(args);
      const written = readFileSync(at('page.md'), 'utf8');
      writeFileSync(at('page.md'), page);
      return { ...seen, page: written, result: readJson(out, 'fig2/result.json') };
    },
    options: {
      '--out': {
        args: ['--out', at('figures')],
        check: ({ result }) => expect([result, existsSync(at('figures/fig2/result.json'))]).toEqual([undefined, true]),
        resolved: ['out', at('figures')],
      },
      '--config': {
        args: ['--config', at('more.json')],
        check: ({ result }) => expect(result.configuration.draws).toBe(500),
        resolved: ['figures.fig2.draws', 500],
      },
      '--quick': {
        args: ['--quick'],
        check: ({ result }) => expect(result.configuration.draws).toBe(1024),
        resolved: ['figures.fig2.draws', 1024],
      },
      '--page': {
        args: ['--page', at('page.md')],
        check: ({ page: written }) => expect(written).toMatch(/<!-- fig2 -->\n\n\| angle/),
        resolved: ['page', at('page.md')],
      },
    },
  };
}

export function demoCases(): CommandCases {
  const steps = ({ printed }: Seen) => Number(/([\d,]+) steps of/.exec(printed)?.[1]?.replaceAll(',', ''));
  /** Ends once the steps are told: the training itself is that of every run. */
  const observe = async (args: readonly string[], out: string): Promise<Seen> => {
    const isWhole = args.includes('--steps') && args[args.indexOf('--steps') + 1] === '1';
    const ran = await runCommand(args, (printed, interrupt) => {
      if (!isWhole && printed.includes(' steps of ')) interrupt('SIGINT');
    });
    return {
      ...{ ...ran, printed: ran.stdout + ran.stderr, isOut: existsSync(join(out, 'performer/run.json')) },
      json: ran.stdout.startsWith('{') ? JSON.parse(ran.stdout) : {},
    };
  };
  return {
    base: ['demo', '--steps', '2', '--out', 'OUT'],
    observe,
    options: {
      '--out': {
        args: ['--out', at('demonstration')],
        check: ({ isOut }) =>
          expect([isOut, existsSync(at('demonstration/performer/run.json'))]).toEqual([false, true]),
        resolved: ['out', at('demonstration')],
      },
      '--minutes': {
        args: ['--minutes', '0.0001'],
        only: ['demo', '--out', 'OUT'],
        // The fewest that there are.
        check: (seen) => expect(steps(seen)).toBe(20),
        resolved: ['minutes', 0.0001],
      },
      '--steps': {
        args: ['--steps', '3'],
        check: (seen) => expect(steps(seen)).toBe(3),
        resolved: ['training.steps', 3],
      },
      '--json': {
        args: ['--json'],
        only: ['demo', '--steps', '1', '--out', 'OUT'],
        check: ({ json }) => expect(json).toMatchObject({ steps: 1, models: [{ label: 'Performer' }, {}] }),
      },
    },
  };
}

/** A model in a layout that can leave for Hugging Face, as a model of this program. */
export async function writeModelFixtures(): Promise<void> {
  const made = ['convert', '--from', join(golden, 'gpt2'), '--attention', 'exact', '--out', at('gpt2')];
  expect((await runCommand(made)).error).toBeUndefined();
}
