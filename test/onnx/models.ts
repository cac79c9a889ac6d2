/** Models with weights that matter, and what they and their graphs make of the same inputs. */

import { imagePatches } from '../../src/entries/data.ts';
import { exportOnnx, type OnnxExportOptions } from '../../src/entries/onnx.ts';
import {
  type Backend,
  Random,
  scope,
  Transformer,
  type TransformerOptions,
  tensor,
} from '../../src/entries/performers.ts';
import type { Input, Session } from './runtimes.ts';

/** Small and of prime sizes, so that a swapped axis fails. */
export const base = {
  vocabSize: 29,
  dModel: 30,
  numLayers: 2,
  numHeads: 3,
  dFeedForward: 37,
  maxLength: 211,
  dropout: 0,
  attention: { type: 'favor', numFeatures: 22 },
} as const satisfies TransformerOptions;

/**
 * A model whose every parameter is drawn anew. Biases are not zero, gains not one, and queries and keys have elements
 * of about `scale`, so that attention is far from uniform.
 */
export async function drawModel(backend: Backend, options: TransformerOptions, scale = 1): Promise<Transformer> {
  const model = new Transformer(backend, options, 5);
  const random = new Random(17, 3);
  for (const [name, parameter] of model.parameters()) {
    const [centre, deviation] = distribution(name, model.configuration.dModel, scale);
    const data = Float32Array.from({ length: parameter.size }, () => centre + deviation * random.normal());
    backend.write(parameter.storage, data);
  }
  return model;
}

function distribution(name: string, dModel: number, scale: number): [centre: number, deviation: number] {
  if (/[nN]orm\.weight$/.test(name)) return [1, 0.2];
  if (/attention\.(query|key)\./.test(name)) return [0, scale * (name.endsWith('weight') ? dModel ** -0.5 : 0.1)];
  if (/attention\.(key|value)Projection$/.test(name)) return [0, 0.2];
  if (/^(tokens|positions|tokenTypes|classToken)\./.test(name)) return [0, 0.7];
  return [0, name.endsWith('weight') ? dModel ** -0.5 : 0.1];
}

export interface TokenBatch {
  readonly ids: Int32Array;
  /** 1 = valid, 0 = padding. */
  readonly mask: readonly Float32Array[];
  readonly types: readonly Int32Array[];
  readonly batch: number;
  readonly length: number;
}

/** Row b lacks the last 3·b positions; with `left` the first ones. */
export function tokenBatch(batch: number, length: number, left = false): TokenBatch {
  const random = new Random(batch, length);
  const rows = Array.from({ length: batch }, (_, b) => b);
  const missing = (b: number) => Math.min(3 * b, length - 1);
  return {
    batch,
    length,
    ids: Int32Array.from({ length: batch * length }, () => random.uint32() % base.vocabSize),
    mask: rows.map((b) =>
      Float32Array.from({ length }, (_, i) => ((left ? i < missing(b) : i >= length - missing(b)) ? 0 : 1)),
    ),
    types: rows.map((b) => Int32Array.from({ length }, (_, i) => (i > (length >> 1) + b ? 1 : 0))),
  };
}

/** Results by the names of the graphs' outputs. */
export type Results = Record<string, ArrayLike<number>>;

/** What the model itself makes of a batch. */
export async function ownResults(model: Transformer, given: TokenBatch): Promise<Results> {
  const { ids, mask, types, batch, length } = given;
  const { backend, configuration } = model;
  const { tokenTypes, tokenDropout, numClasses, languageHead } = configuration;
  const rows = Array.from({ length: batch }, (_, b) => ids.subarray(b * length, (b + 1) * length));
  const tensors = scope(() => {
    const hidden = model.forward(tensor(backend, ids, [batch, length]), {
      keyMask: mask,
      ...(tokenTypes > 0 && { tokenTypes: types }),
      ...(tokenDropout && {
        maskedTokens: rows.map((row) => row.map((id) => (id === tokenDropout.maskToken ? 1 : 0))),
      }),
    });
    const logits = numClasses !== undefined ? model.classify(hidden, { keyMask: mask }) : undefined;
    return [hidden, logits ?? (languageHead ? model.logits(hidden) : hidden)] as const;
  });
  const [hidden, logits] = await Promise.all(tensors.map((each) => each.data()));
  for (const each of tensors) each.dispose();
  return numClasses !== undefined || languageHead
    ? { last_hidden_state: hidden, logits }
    : { last_hidden_state: hidden };
}

export const int64 = (data: ArrayLike<number>, ...dims: number[]): Input => ({
  data: BigInt64Array.from(Array.from(data), BigInt),
  dims,
});

/** What the graph makes of it. */
export async function graphResults(session: Session, given: TokenBatch): Promise<Results> {
  const { ids, mask, types, batch, length } = given;
  const all: Record<string, Input> = {
    input_ids: int64(ids, batch, length),
    attention_mask: int64(
      mask.flatMap((row) => [...row]),
      batch,
      length,
    ),
    token_type_ids: int64(
      types.flatMap((row) => [...row]),
      batch,
      length,
    ),
  };
  const results = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name]])));
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

/** Pixels of `count` images, and what the model makes of them. */
export async function imageResults(model: Transformer, count: number): Promise<{ pixels: Input; results: Results }> {
  const { backend, configuration } = model;
  const patches = configuration.patches;
  if (!patches) throw new Error('This is no model of images.');
  const { channels, imageSize, patchSize } = patches;
  const random = new Random(11, count);
  const data = Float32Array.from({ length: count * channels * imageSize ** 2 }, () => random.normal());
  const numPatches = (imageSize / patchSize) ** 2;
  const tensors = scope(() => {
    const input = tensor(backend, imagePatches(data, patches), [count, numPatches, channels * patchSize ** 2]);
    const hidden = model.forward(input);
    return [hidden, model.classify(hidden)] as const;
  });
  const [last_hidden_state, logits] = await Promise.all(tensors.map((each) => each.data()));
  for (const each of tensors) each.dispose();
  return { pixels: { data, dims: [count, channels, imageSize, imageSize] }, results: { last_hidden_state, logits } };
}

/**
 * The largest difference over the largest number that is wanted, over all outputs that both have.
 *
 * @param counts whether position i of row b is compared; only such positions are, of outputs that have one row for each
 */
export function largestError(
  got: Results,
  wanted: Results,
  counts: (position: number) => boolean = () => true,
  positions = 1,
): number {
  let worst = 0;
  for (const [name, want] of Object.entries(wanted)) {
    const have = got[name];
    if (have?.length !== want.length) throw new Error(`${name}: ${have?.length} numbers for ${want.length}.`);
    const width = want.length / positions;
    let size = 0;
    let error = 0;
    for (let i = 0; i < want.length; i++) {
      if (positions > 1 && Number.isInteger(width) && !counts(Math.floor(i / width))) continue;
      size = Math.max(size, Math.abs(want[i]));
      const difference = Math.abs(want[i] - have[i]);
      error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    }
    worst = Math.max(worst, error / size);
  }
  return worst;
}

/** The bytes of one graph. */
export async function graphFile(model: Transformer, kind: 'sequence' | 'step', options: OnnxExportOptions = {}) {
  const { files, states } = await exportOnnx(model, { graphs: [kind], ...options });
  const [bytes] = files.values();
  return { bytes, states };
}
