import { afterAll, describe, expect, it } from 'vitest';
import { createBackend, type TransformerOptions } from '../../src/entries/performers.ts';
import type { StateTensor } from '../../src/onnx/step-graph.ts';
import { base, drawModel, graphFile, int64, largestError, ownResults, type TokenBatch, tokenBatch } from './models.ts';
import { type Input, loadRuntimes, openSession, type Session } from './runtimes.ts';

const backend = await createBackend();
afterAll(() => backend.close());

const favor = { type: 'favor', numFeatures: 22 } as const;
const models: Record<string, TransformerOptions & { scale?: number }> = {
  'positive features': base,
  'long queries and keys': { ...base, numLayers: 1, scale: 10 },
  'a hybrid, rotary, with a bias': { ...base, positions: 'rotary', exactLayers: [1], outputBias: true },
  'exact, no positions': { ...base, positions: 'none', attention: 'exact' },
  'FAVOR++, sinusoidal, rows not normalised': {
    ...base,
    positions: 'sinusoidal',
    attention: { ...favor, featureMap: { type: 'favor++', p: 2 }, normalised: false },
  },
  'trigonometric features, rows not normalised': {
    ...base,
    attention: { ...favor, featureMap: 'trigonometric', normalised: false },
  },
  'Performer-ReLU, token types, no positions': {
    ...base,
    positions: 'none',
    tokenTypes: 2,
    attention: { ...favor, featureMap: 'relu' },
  },
};

/** Feeds a batch in pieces; the logits of all of them, `[batch, length, vocabSize]`. */
async function feed(
  session: Session,
  states: readonly StateTensor[],
  given: TokenBatch,
  pieces: readonly number[],
  everyMask: boolean,
): Promise<Float32Array> {
  const { batch, length, ids, mask, types } = given;
  const logits = new Float32Array(batch * length * base.vocabSize);
  // Positions count from the first valid position, as in transformers.
  const first = mask.map((row) => row.indexOf(1));
  let past: Record<string, Input> = Object.fromEntries(
    states.map(({ input, shape }) => {
      const dims = shape.map((dim) => (dim === 'batch_size' ? batch : typeof dim === 'string' ? 0 : dim));
      return [input, { dims, data: new Float32Array(dims.reduce((size, dim) => size * dim, 1)) }];
    }),
  );
  let start = 0;
  for (const size of pieces) {
    const end = start + size;
    const cut = (row: ArrayLike<number>, from = start) => Array.from(row).slice(from, end);
    const rows = Array.from({ length: batch }, (_, b) => ids.subarray(b * length, (b + 1) * length));
    const maskStart = everyMask ? 0 : start;
    const inputs: Record<string, Input> = {
      input_ids: int64(
        rows.flatMap((row) => cut(row)),
        batch,
        size,
      ),
      attention_mask: int64(
        mask.flatMap((row) => cut(row, maskStart)),
        batch,
        end - maskStart,
      ),
      token_type_ids: int64(
        types.flatMap((row) => cut(row)),
        batch,
        size,
      ),
      position_ids: int64(
        rows.flatMap((row, b) => cut(row.map((_, i) => (i < first[b] ? i : i - first[b])))),
        batch,
        size,
      ),
      num_logits_to_keep: int64([0]),
      ...past,
    };
    const made = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, inputs[name]])));
    for (let b = 0; b < batch; b++) {
      const width = size * base.vocabSize;
      logits.set(made.logits.data.subarray(b * width, (b + 1) * width), (b * length + start) * base.vocabSize);
    }
    past = Object.fromEntries(states.map(({ input, output }) => [input, made[output]]));
    start = end;
  }
  return logits;
}

describe.each(await loadRuntimes())('graphs of steps in %s', (name, runtime) => {
  it.each(Object.entries(models))('give what the whole sequence gives: %s', async (_, { scale = 1, ...options }) => {
    const model = await drawModel(backend, options, scale);
    const { bytes, states } = await graphFile(model, 'step');
    const session = await openSession(runtime, name, bytes);
    const hasCache = states.some(({ shape }) => shape.includes('past_sequence_length'));
    const cases: [batch: number, pieces: number[]][] = [
      [1, new Array<number>(13).fill(1)],
      [2, [5, 1, 1, 1, 64, 1]],
      [3, [131, 2]],
    ];
    for (const [i, [batch, pieces]] of cases.entries()) {
      const given = tokenBatch(
        batch,
        pieces.reduce((a, b) => a + b),
        i === 2,
      );
      const logits = await feed(session, states, given, pieces, hasCache || i === 0);
      const { logits: wanted } = await ownResults(model, given);
      const error = largestError({ logits }, { logits: wanted });
      expect(error, `pieces ${pieces}`).toBeLessThan(scale === 1 ? 1e-5 : 3e-5);
    }
    await session.release();
    model.dispose();
  });

  it('gives the logits of the last tokens alone, when so asked', async () => {
    const model = await drawModel(backend, { ...base, positions: 'none' });
    const { bytes, states } = await graphFile(model, 'step');
    const session = await openSession(runtime, name, bytes);
    const given = tokenBatch(1, 11);
    const all = await feed(session, states, given, [11], false);
    const zeros = Object.fromEntries(
      states.map(({ input, shape }) => {
        const dims = shape.map((dim) => (typeof dim === 'string' ? 1 : dim));
        return [input, { dims, data: new Float32Array(dims.reduce((size, dim) => size * dim, 1)) }];
      }),
    );
    const { logits, last_hidden_state } = await session.run({
      input_ids: int64(given.ids, 1, 11),
      attention_mask: int64(given.mask[0], 1, 11),
      num_logits_to_keep: int64([2]),
      ...zeros,
    });
    const wanted = await ownResults(model, given);
    expect(
      largestError({ last_hidden_state: last_hidden_state.data }, { last_hidden_state: wanted.last_hidden_state }),
    ).toBeLessThan(1e-5);
    expect(logits.dims).toEqual([1, 2, base.vocabSize]);
    expect(largestError({ logits: logits.data }, { logits: all.subarray(-2 * base.vocabSize) })).toBeLessThan(1e-6);
    await session.release();
    model.dispose();
  });

  it('keeps what single tokens add to the sums of a hundred million', async () => {
    const model = await drawModel(backend, { ...base, numLayers: 1, positions: 'none' });
    const { bytes, states } = await graphFile(model, 'step');
    const session = await openSession(runtime, name, bytes);
    const [key, value] = states;
    const { numFeatures } = favor;
    const width = 1 + base.dModel / base.numHeads;
    const step = async (past: Record<string, Input>, token: number) => {
      const made = await session.run({
        input_ids: int64([token], 1, 1),
        attention_mask: int64([1], 1, 1),
        num_logits_to_keep: int64([1]),
        ...past,
      });
      return { [key.input]: made[key.output], [value.input]: made[value.output] };
    };
    /** Number of tokens that feature r of the first head has counted, in units of its scale. */
    const counted = (past: Record<string, Input>, r: number) => {
      const at = (row: number) => past[key.input].data[row * width + width - 1] as number;
      return [at(r), at(numFeatures + r)] as const;
    };
    const zeros = (dims: readonly number[]) => ({ dims, data: new Float32Array(dims.reduce((a, b) => a * b)) });
    let few: Record<string, Input> = {
      [key.input]: zeros([1, base.numHeads, 2 * numFeatures, width]),
      [value.input]: zeros([1, base.numHeads, 1, numFeatures]),
    };
    // All tokens, so that no scale rises any more.
    for (let token = 0; token < base.vocabSize; token++) few = await step(few, token);
    const factor = 2 ** 22;
    const scaled = (few[key.input].data as Float32Array).map((x) => x * factor);
    let many: Record<string, Input> = { ...few, [key.input]: { ...few[key.input], data: scaled } };
    const before = { few: counted(few, 3), many: counted(many, 3) };
    for (let i = 0; i < 2 * base.vocabSize; i++) {
      few = await step(few, i % base.vocabSize);
      many = await step(many, i % base.vocabSize);
    }
    const after = { few: counted(few, 3), many: counted(many, 3) };
    const grown = (from: readonly number[], to: readonly number[]) => to[0] - from[0] + (to[1] - from[1]);
    expect(grown(before.few, after.few)).toBeGreaterThan(1);
    expect(grown(before.many, after.many) / grown(before.few, after.few)).toBeCloseTo(1, 5);
    await session.release();
    model.dispose();
  });
});
