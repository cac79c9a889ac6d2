import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { createBackend } from '../../../src/entries/performers.ts';
import { imagePatches } from '../../../src/model/layers/patch-embedding.ts';
import type { ForwardOptions, Transformer } from '../../../src/model/transformer.ts';
import { createPretrained } from '../../../src/pretrained/hugging-face/create-pretrained.ts';
import type { Pretrained } from '../../../src/pretrained/hugging-face/read.ts';
import type { TensorEntry } from '../../../src/storage/safetensors.ts';
import { scope } from '../../../src/tensor/scope.ts';
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts';
import { compiledBackends } from '../../backend/available.ts';
import { goldenTensors, readGolden } from './golden.ts';

const backends: readonly Backend[] = [
  createReferenceBackend(),
  ...(await Promise.all(compiledBackends.map((backend) => createBackend({ backend, numThreads: 1 })))),
];
afterAll(() => {
  for (const backend of backends) backend.close();
});

type Rows = number[][];

function rows({ shape, data }: TensorEntry): Rows {
  const numbers = Array.from(data, Number);
  return Array.from({ length: shape[0]! }, (_, i) => numbers.slice(i * shape[1]!, (i + 1) * shape[1]!));
}

/** The input of a golden model as it was given there. */
function inputOf(backend: Backend, golden: Map<string, TensorEntry>, { configuration }: Pretrained) {
  const pixels = golden.get('pixel_values');
  if (pixels) {
    const { patches } = configuration;
    const cut = imagePatches(pixels.data as Float32Array, patches!);
    return { input: tensor(backend, cut, [2, 9, 75]), options: {}, mask: Array(2).fill(Array(10).fill(1)) as Rows };
  }
  const ids = golden.get('input_ids')!;
  const mask = rows(golden.get('attention_mask')!);
  const types = golden.get('token_type_ids');
  const { tokenDropout } = configuration;
  const options: ForwardOptions = {
    keyMask: mask,
    ...(types ? { tokenTypes: rows(types) } : {}),
    ...(tokenDropout
      ? { maskedTokens: rows(ids).map((row) => row.map((id) => (id === tokenDropout.maskToken ? 1 : 0))) }
      : {}),
  };
  return { input: tensor(backend, ids.data as Int32Array, ids.shape), options, mask };
}

/** The model without its last blocks: what it gives is the state after the last that is left. */
function cut(pretrained: Pretrained, numLayers: number): Pick<Pretrained, 'configuration' | 'weights'> {
  const isKept = (name: string) => Number(/^blocks\.(\d+)/.exec(name)?.[1] ?? 0) < numLayers;
  return {
    configuration: { ...pretrained.configuration, numLayers },
    weights: new Map([...pretrained.weights].filter(([name]) => isKept(name))),
  };
}

async function numbersOf(make: () => Tensor): Promise<ArrayLike<number>> {
  const made = scope(make);
  const data = await made.data();
  made.dispose();
  return data;
}

/** Largest difference at places that are not padding; `width` numbers for each. */
function difference(found: ArrayLike<number>, wanted: ArrayLike<number>, mask: Rows, width: number): number {
  const flat = mask.flat();
  expect(found.length).toBe(flat.length * width);
  expect(wanted.length).toBe(found.length);
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    if (flat[Math.floor(i / width)] !== 0) largest = Math.max(largest, Math.abs(found[i]! - wanted[i]!));
  }
  return largest;
}

/** The reference adds up in float64; its inputs and the golden numbers are float32. */
const boundOf = (backend: Backend) => (backend.name === 'reference' ? 3e-6 : 1e-5);

describe.each(backends.map((backend) => [backend.name, backend] as const))('on %s', (_, backend) => {
  it.each(['bert', 'roberta', 'gpt2', 'esm', 'vit', 'bert-classes', 'roberta-classes'])(
    '%s: the states after every block are those of transformers',
    async (name) => {
      const pretrained = await readGolden(name);
      const golden = goldenTensors(`${name}/expected.safetensors`);
      const states = golden.get('states')!;
      const { numLayers } = pretrained.configuration;
      expect(states.shape[0]).toBe(numLayers);
      const size = states.data.length / numLayers;
      for (let layer = 0; layer < numLayers; layer++) {
        const model = createPretrained(backend, cut(pretrained, layer + 1));
        const { input, options, mask } = inputOf(backend, golden, pretrained);
        const found = await numbersOf(() => model.forward(input, options));
        const wanted = (states.data as Float32Array).subarray(layer * size, (layer + 1) * size);
        expect(difference(found, wanted, mask, 30), `layer ${layer}`).toBeLessThan(boundOf(backend));
        model.dispose();
      }
    },
  );

  it.each([
    ['bert', 211],
    ['roberta', 307],
    ['gpt2', 293],
    ['esm', 33],
    ['roberta-f16', 307],
    ['gpt2-bf16', 293],
    ['esm-sharded', 33],
  ])('%s: the logits too', async (name, vocabSize) => {
    const pretrained = await readGolden(name);
    const inputs = goldenTensors(`${name.replace(/-.*/, '')}/expected.safetensors`);
    const { logits } = Object.fromEntries(
      name === 'esm-sharded' ? inputs : goldenTensors(`${name}/expected.safetensors`),
    );
    const model = createPretrained(backend, pretrained);
    const { input, options, mask } = inputOf(backend, inputs, pretrained);
    const found = await numbersOf(() => model.logits(model.forward(input, options)));
    expect(difference(found, logits!.data as Float32Array, mask, vocabSize)).toBeLessThan(boundOf(backend));
    model.dispose();
  });

  it.each([
    ['bert-classes', 3],
    ['roberta-classes', 3],
    ['vit', 7],
  ])('%s: the logits of classes', async (name, numClasses) => {
    const pretrained = await readGolden(name);
    const golden = goldenTensors(`${name}/expected.safetensors`);
    const model: Transformer = createPretrained(backend, pretrained);
    const { input, options } = inputOf(backend, golden, pretrained);
    const found = await numbersOf(() => model.classify(model.forward(input, options), options));
    const wanted = golden.get('logits')!.data as Float32Array;
    expect(difference(found, wanted, [[1], [1]], numClasses)).toBeLessThan(boundOf(backend));
    model.dispose();
  });
});
