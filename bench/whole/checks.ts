/** What the checks of the door before every backend cost: a share of a training step and of a decoded token. */

import { CheckedBackend, type UncheckedBackend } from '../../src/backend/checked.ts';
import {
  type Backend,
  Decoder,
  languageModelLoss,
  Transformer,
  type TransformerOptions,
  tensor,
  transformerPresets,
  valueAndGradients,
} from '../../src/entries/performers.ts';
import type { BenchmarkCase, Measurement } from '../case.ts';

const ROUNDS = 40;

/** What a backend without kernels keeps: memory, and the reading of indices. */
const KEPT = new Set<PropertyKey>([
  ...['name', 'description', 'numThreads', 'bytesAllocated', 'allocate', 'upload', 'write', 'read', 'slice'],
  ...['release', 'trim', 'close', 'own', 'owns', 'peek'],
]);

/** What the kernels that do nothing were given: arguments that nobody keeps would not even be made. */
const given: { args: unknown } = { args: undefined };

/** The door, but ids and targets pass unread. */
class IndicesUnread extends CheckedBackend {
  protected override indices(): void {}
}

/** `inner` with kernels that do nothing: what is left is JavaScript alone, so that the door's part can be told. */
function withoutKernels(inner: UncheckedBackend): UncheckedBackend {
  const names: string[] = [];
  for (let level = Object.getPrototypeOf(inner); level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    names.push(...Object.getOwnPropertyNames(level));
  }
  const members = new Map<PropertyKey, unknown>(
    [...names, ...Object.keys(inner)].map((name) => [name, Reflect.get(inner, name)]),
  );
  const bare: object = {};
  for (const [name, value] of members) {
    const kept = typeof value === 'function' ? value.bind(inner) : value;
    Reflect.set(bare, name, typeof value !== 'function' || KEPT.has(name) ? kept : keepGiven);
  }
  return bare as UncheckedBackend;
}

function keepGiven(args: unknown): void {
  given.args = args;
}

const sizes: Record<string, TransformerOptions> = {
  'compact (4 layers, d = 256)': { ...transformerPresets.compact, vocabSize: 256, maxLength: 1024 },
  '6 layers, d = 512': { ...transformerPresets.regular, vocabSize: 256, maxLength: 1024 },
};

/** A training step of 1 × 512 tokens up to its gradients, and a decoded token; functions that do one of them. */
async function works(backend: Backend, options: TransformerOptions) {
  const model = new Transformer(backend, { ...options, causal: true });
  const ids = tensor(backend, new Int32Array(512).fill(7), [1, 512]);
  const decoder = new Decoder(model);
  await decoder.feed([7]);
  const parameters = [...model.parameters().values()];
  return {
    'training step': async () => {
      const { value, gradients } = valueAndGradients(() => languageModelLoss(model, ids, ids).loss, parameters);
      value.dispose();
      for (const gradient of gradients) gradient.dispose();
    },
    'decoded token': async () => {
      await decoder.feed([7]);
    },
  };
}

/** Milliseconds of one call on its processor: of the wall's, other processes would take their part. */
async function timeOf(work: () => Promise<void>, calls: number): Promise<number> {
  const start = process.cpuUsage();
  for (let i = 0; i < calls; i++) await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000 / calls;
}

async function measure(backend: Backend): Promise<Measurement[]> {
  const bare = withoutKernels(CheckedBackend.behind(backend));
  const measurements: Measurement[] = [];
  for (const [size, options] of Object.entries(sizes)) {
    const real = await works(backend, options);
    const checked = await works(new CheckedBackend(bare), options);
    const unread = await works(new IndicesUnread(bare), options);
    const unchecked = await works(bare, options);
    for (const name of ['training step', 'decoded token'] as const) {
      const calls = name === 'training step' ? 1 : 25;
      const times = { checked: Infinity, unread: Infinity, unchecked: Infinity, real: Infinity };
      const subjects = { checked, unread, unchecked, real };
      for (let round = 0; round < ROUNDS; round++) {
        for (const subject of ['checked', 'unread', 'unchecked', 'real'] as const) {
          if (subject === 'real' && round >= 3) continue;
          times[subject] = Math.min(times[subject], await timeOf(subjects[subject][name], calls));
        }
      }
      const costs = { 'all checks': times.checked - times.unchecked, 'ids and targets': times.checked - times.unread };
      for (const [checks, cost] of Object.entries(costs)) {
        measurements.push({ label: `${name}, ${size}: ${checks}`, value: cost * 1000, unit: 'µs' });
        measurements.push({ label: `${name}, ${size}: ${checks}, share`, value: (100 * cost) / times.real, unit: '%' });
      }
    }
  }
  return measurements;
}

export const checks: BenchmarkCase = {
  name: 'checks',
  description:
    'the door before every backend: time of its checks, and their share of a training step and a decoded token',
  check: async () => [],
  prepare: async (backend) => ({ subjects: [], summarise: () => measure(backend), release: () => {} }),
};
