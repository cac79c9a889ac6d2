/** Near fields over long sequences and long vectors, where rounding and the features' shortfall would show. */
import { describe, expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import { attentionSchema } from '../../src/attention/configuration.ts';
import { approximationReport } from '../../src/attention/inspect/report.ts';
import { Random, streams } from '../../src/base/random.ts';
import { featureSchema } from '../../src/features/configuration.ts';
import { drawFeatures } from '../../src/features/draw-features.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { backends } from './backends.ts';

const compiled = backends.filter(({ backend }) => backend.name !== 'reference');

describe.each(compiled)('a near field on $backend.name', ({ backend }) => {
  it('streams a million tokens and stays within 1e-5 of float64', async () => {
    const [length, heads, dHead, dValue, numFeatures] = [1_000_003, 1, 4, 2, 8];
    const nearField = { block: 16, sinks: 3 };
    const random = new Random(12);
    const rows = (width: number, deviation: number) =>
      Float32Array.from({ length: length * width }, () => deviation * random.normal());
    const [queries, keys, values] = [rows(dHead, 1), rows(dHead, 1), rows(dValue, 1)];
    const options = { type: 'favor', numFeatures, nearField } as const;
    const attention = createAttention(
      backend,
      attentionSchema.parse(options),
      { numHeads: heads, dHead, maxLength: length },
      new Random(7, streams.projections),
    );
    const state = attention.createState({ batch: 1, heads, dHead, dValue });
    const piece = 99_991;
    const checked = 40;
    const last: number[] = [];
    for (let from = 0; from < length; from += piece) {
      const to = Math.min(length, from + piece);
      const out = scope(() => {
        const part = (all: Float32Array, width: number) =>
          tensor(backend, all.subarray(from * width, to * width), [1, to - from, heads, width]);
        return attention.extend(part(queries, dHead), part(keys, dHead), part(values, dValue), state);
      });
      const data = await out.data();
      if (to === length) last.push(...data.subarray(data.length - checked * dValue));
      out.dispose();
    }
    state.dispose();
    attention.dispose();

    // Far sums of all keys, φ(k) = exp(w·k̂ − ‖k̂‖²/2) in float64; a key joins when its block is far from the query's.
    const drawn = drawFeatures(featureSchema.parse({ numFeatures }), dHead, new Random(7, streams.projections));
    const features = (all: Float32Array, at: number) => {
      const x = Array.from({ length: dHead }, (_, c) => all[at * dHead + c] * dHead ** -0.25);
      const halfNorm = x.reduce((sum, value) => sum + value * value, 0) / 2;
      return Array.from({ length: numFeatures }, (_, r) =>
        Math.exp(x.reduce((sum, value, c) => sum + value * drawn.projection[r * dHead + c], 0) - halfNorm),
      );
    };
    const sums = new Float64Array(numFeatures * (dValue + 1));
    let joined = 0;
    const join = (end: number) => {
      for (; joined < end; joined++) {
        if (joined < nearField.sinks) continue;
        for (const [r, value] of features(keys, joined).entries()) {
          const at = r * (dValue + 1);
          for (let c = 0; c < dValue; c++) sums[at + c] += value * values[joined * dValue + c];
          sums[at + dValue] += value;
        }
      }
    };
    let worst = 0;
    for (let i = length - checked; i < length; i++) {
      join((Math.floor(i / nearField.block) - 1) * nearField.block);
      const row = new Float64Array(dValue + 1);
      for (const [r, value] of features(queries, i).entries()) {
        for (let c = 0; c <= dValue; c++) row[c] += drawn.weight * value * sums[r * (dValue + 1) + c];
      }
      const near = Array.from({ length: i + 1 - joined }, (_, n) => joined + n);
      for (const j of [0, 1, 2, ...near]) {
        let score = 0;
        for (let c = 0; c < dHead; c++) score += queries[i * dHead + c] * keys[j * dHead + c];
        const weight = Math.exp(score / Math.sqrt(dHead));
        for (let c = 0; c < dValue; c++) row[c] += weight * values[j * dValue + c];
        row[dValue] += weight;
      }
      for (let c = 0; c < dValue; c++) {
        const found = last[(i - length + checked) * dValue + c];
        worst = Math.max(worst, Math.abs(found - row[c] / row[dValue]));
      }
    }
    expect(last).toHaveLength(checked * dValue);
    expect(worst).toBeLessThan(1e-5);
  });

  it('keeps the far keys’ share of long vectors by the mass of features or a gain; one divisor starves them', async () => {
    const [heads, length, dHead] = [4, 192, 64];
    const random = new Random(1);
    // ‖q̂‖² = ‖k̂‖² = 12 on average, q̂ = q·dHead^(−1/4).
    const rows = (squared: number) => {
      const scale = Math.sqrt(squared / dHead) * dHead ** 0.25;
      const data = Float32Array.from({ length: heads * length * dHead }, () => scale * random.normal());
      return tensor(backend, data, [1, heads, length, dHead]);
    };
    const inputs = [rows(12), rows(12), rows(1)] as const;
    const features = { numFeatures: 64, seed: 3 };
    const farMass = async (mass: 'kernel' | 'features', gains?: readonly number[]) => {
      const gain = gains && tensor(backend, gains, [heads]);
      const nearField = { block: 24, mass, gain };
      const report = await approximationReport(...inputs, { causal: true, features, nearField, maxRows: 32 });
      gain?.dispose();
      return report.heads.map((head) => head.nearField!.farMass);
    };
    const average = (of: readonly { estimated: number }[]) =>
      of.reduce((sum, { estimated }) => sum + estimated, 0) / heads;
    const starved = await farMass('kernel');
    const exact = starved.reduce((sum, mass) => sum + mass.exact, 0) / heads;
    expect(exact).toBeGreaterThan(0.4);
    expect(average(starved)).toBeLessThan(exact / 2);
    expect(Math.abs(average(await farMass('features')) - exact)).toBeLessThan(0.1 * exact);
    // A gain for each head, fitted by a few steps on the logit of its far mass.
    const logit = (x: number) => Math.log(x / (1 - x));
    const gains = new Array<number>(heads).fill(0);
    for (let step = 0; step < 6; step++) {
      for (const [head, mass] of (await farMass('kernel', gains)).entries()) {
        gains[head] += logit(mass.exact) - logit(mass.estimated);
      }
    }
    expect(Math.min(...gains)).toBeGreaterThan(1);
    expect(Math.abs(average(await farMass('kernel', gains)) - exact)).toBeLessThan(0.05 * exact);
  });
});
