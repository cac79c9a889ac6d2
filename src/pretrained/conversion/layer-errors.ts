import type { NearFieldConfiguration } from '../../attention/configuration.ts';
import type { FeatureOptions } from '../../attention/favor.ts';
import type { HeadReport } from '../../attention/inspect/report.ts';
import { approximationReport } from '../../attention/inspect/report.ts';
import { Pauses } from '../../base/event-loop.ts';
import type { AttentionHeads } from '../../model/layers/multi-head-attention.ts';
import type { Transformer } from '../../model/transformer.ts';
import { tensor } from '../../tensor/tensor.ts';
import { mean } from './comparison.ts';
import type { HeadError, LayerError, MeasuredBatch } from './types.ts';

/** What exact attention is given in every layer, to measure estimates on. */
export class LayerInputs {
  private constructor(
    private readonly batch: MeasuredBatch,
    private readonly causal: boolean,
    private readonly inputs: readonly AttentionHeads[],
    private readonly maxRows: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * Copies what attention is given in a model with exact attention. The caller disposes the tensors.
   *
   * @param maxRows queries measured in each sequence and head
   */
  static async open(
    model: Transformer,
    batch: MeasuredBatch,
    maxRows: number,
    signal?: AbortSignal,
  ): Promise<LayerInputs> {
    const input = tensor(model.backend, batch.input, batch.shape);
    try {
      const inputs = await model.attentionInputsInSteps(input, batch.options ?? {}, new Pauses(signal));
      return new LayerInputs(batch, model.configuration.causal, inputs, maxRows, signal);
    } finally {
      input.dispose();
    }
  }

  /**
   * @param nearField whose gains are 0, as those of a converted model are
   * @returns errors of every layer and head, and FAVOR++'s p
   */
  async measure(
    features: FeatureOptions,
    nearField: NearFieldConfiguration | null = null,
  ): Promise<{ layers: LayerError[]; p: number }> {
    const { keyMask, segments } = this.batch.options ?? {};
    const { causal, maxRows, signal } = this;
    const choice = nearField && { block: nearField.block, sinks: nearField.sinks, mass: nearField.mass };
    const options = { causal, keyMask, segments, maxRows, features, signal, ...(choice && { nearField: choice }) };
    const layers: LayerError[] = [];
    const ps: number[] = [];
    for (const [layer, { queries, keys, values }] of this.inputs.entries()) {
      const report = await approximationReport(queries, keys, values, options);
      const heads = Array.from({ length: queries.shape[1] }, (_, head) =>
        headError(report.heads.filter((each) => each.head === head)),
      );
      layers.push({ layer, ...headMean(heads), heads });
      ps.push(report.p);
    }
    return { layers, p: mean(ps) };
  }

  dispose(): void {
    for (const heads of this.inputs) for (const part of [heads.queries, heads.keys, heads.values]) part.dispose();
  }
}

function headError(sequences: readonly HeadReport[]): HeadError {
  return headMean(
    sequences.map(({ outputError, totalVariation, effectiveFeatures }) => ({
      outputError,
      totalVariation: totalVariation.mean,
      effectiveFeatures,
    })),
  );
}

function headMean(errors: readonly HeadError[]): HeadError {
  return {
    outputError: mean(errors.map((error) => error.outputError)),
    totalVariation: mean(errors.map((error) => error.totalVariation)),
    effectiveFeatures: mean(errors.map((error) => error.effectiveFeatures)),
  };
}
