import { ConfigurationError } from '../base/errors.ts';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, type OptionKinds, option } from '../base/options.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { transformerConfigurationKind } from '../model/configuration.ts';
import type { Transformer } from '../model/transformer.ts';
import { transformerKind } from '../model/transformer.ts';
import { encodeOnnx, MAX_MODEL_BYTES, type OnnxGraph } from './model-file.ts';
import { layerAttention } from './nodes/layer-attention.ts';
import { outputsOf, type SequenceOutput, sequenceGraph } from './sequence-graph.ts';
import { type StateTensor, stepGraph } from './step-graph.ts';
import { Weights } from './weights.ts';

/** `sequence` takes whole sequences; `step`, of causal models, the next tokens and the past. */
export const onnxGraphKinds = ['sequence', 'step'] as const;
export type OnnxGraphKind = (typeof onnxGraphKinds)[number];

export interface OnnxExportOptions extends Stoppable {
  /** Default: all that the model has. */
  readonly graphs?: readonly OnnxGraphKind[] | undefined;
  /**
   * Outputs of the graph over sequences. Default: all that the model has but `token_logits`.
   * - `last_hidden_state` `[batch, length, dModel]`
   * - `logits`, of the classification head `[batch, numClasses]`, in a model without one over tokens
   *   `[batch, length, vocabSize]`
   * - `token_logits`, over tokens in a model with classes
   * - `pooler_output` `[batch, dModel]`
   */
  readonly outputs?: readonly SequenceOutput[] | undefined;
  /** What attention `auto` becomes, as a graph leaves lengths open. Default: favor. */
  readonly auto?: 'favor' | 'exact' | undefined;
  /** Weights of a graph with more bytes than this move to a file beside it, `….onnx_data`. Default: 2 GiB − 1, protobuf's limit. */
  readonly maxModelBytes?: number | undefined;
}

const exportKinds: OptionKinds<OnnxExportOptions> = {
  graphs: option.strings,
  outputs: option.strings,
  auto: option.oneOf('favor', 'exact'),
  maxModelBytes: option.number,
  signal: option.signal,
};

export interface OnnxExport {
  /** File name → contents: `model.onnx`, for causal models `decoder_model.onnx`, and `….onnx_data` of large ones. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** The past that the graph `step` takes and gives; it starts as zeros. */
  readonly states: readonly StateTensor[];
}

/**
 * A model as ONNX graphs of standard operators (operator set 17), for any batch and length. Parameters and projections are
 * initialisers under their own names.
 *
 * Inputs are `input_ids`, `attention_mask` (1 = valid, 0 = padding) and, where the model has token types,
 * `token_type_ids`, int64 `[batch, length]`. Image models take `pixel_values`
 * `[batch, channels, imageSize, imageSize]`. The graph `step` also takes `position_ids` of models with positions,
 * `num_logits_to_keep` (0 = all) and the past. Its attention_mask may cover earlier tokens, and must where exact layers
 * hold them. FAVOR+ takes O(length) in both.
 *
 * @returns `model.onnx`: of a bidirectional model the graph `sequence`; of a causal one `step`, with `sequence` in `decoder_model.onnx`
 * @throws ConfigurationError for attention that no standard graph computes (lsh), graphs or outputs that the model does not have.
 */
export async function exportOnnx(model: Transformer, options: OnnxExportOptions = {}): Promise<OnnxExport> {
  checkArguments('exportOnnx', { model }, { model: transformerKind });
  checkOptions<OnnxExportOptions>('exportOnnx', options, exportKinds);
  const { configuration } = model;
  const { maxModelBytes = MAX_MODEL_BYTES } = options;
  const { graphs: kinds, outputs, auto: autoAs } = onnxChoices(configuration, options);
  const pauses = new Pauses(options.signal);
  const weights = await Weights.of(model, pauses);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const write = async (name: string, graph: OnnxGraph) => {
    await pauses.next();
    const encoded = encodeOnnx(graph, `${name}_data`, maxModelBytes);
    files.set(name, encoded.model);
    if (encoded.data) files.set(`${name}_data`, encoded.data);
  };
  let states: readonly StateTensor[] = [];
  if (kinds.includes('step')) {
    const step = stepGraph(weights, configuration, autoAs);
    await write('model.onnx', step.graph);
    states = step.states;
  }
  if (kinds.includes('sequence')) {
    const name = configuration.causal ? 'decoder_model.onnx' : 'model.onnx';
    await pauses.next();
    await write(name, sequenceGraph(weights, configuration, autoAs, outputs));
  }
  return { files, states };
}

/**
 * The graphs and outputs that an export of a model has: those that the options name, else everything that the model can
 * give.
 *
 * @throws ConfigurationError for graphs or outputs that the model does not have, and for options that change nothing
 */
export function onnxChoices(
  configuration: TransformerConfiguration,
  options: OnnxExportOptions = {},
): {
  readonly graphs: readonly OnnxGraphKind[];
  readonly outputs: readonly SequenceOutput[];
  readonly auto: 'favor' | 'exact';
} {
  checkArguments(
    'onnxChoices',
    { configuration },
    {
      configuration: transformerConfigurationKind,
    },
  );
  checkOptions<OnnxExportOptions>('onnxChoices', options, exportKinds);
  const { auto: autoAs = 'favor' } = options;
  if (options.auto !== undefined && configuration.attention.type !== 'auto') {
    throw new ConfigurationError(
      `This model has ${configuration.attention.type} attention, and only auto becomes another: leave auto out.`,
    );
  }
  const graphs = options.graphs ?? graphsOf(configuration, autoAs);
  if (options.outputs !== undefined && !graphs.includes('sequence')) {
    throw new ConfigurationError(
      'Outputs are those of the graph "sequence", which is not exported: leave outputs out.',
    );
  }
  const outputs = options.outputs ?? outputsOf(configuration).filter((name) => name !== 'token_logits');
  check(configuration, autoAs, graphs, outputs);
  return { graphs, outputs, auto: autoAs };
}

function graphsOf(configuration: TransformerConfiguration, autoAs: 'favor' | 'exact'): OnnxGraphKind[] {
  return canStep(configuration, autoAs) ? ['sequence', 'step'] : ['sequence'];
}

function canStep(configuration: TransformerConfiguration, autoAs: 'favor' | 'exact'): boolean {
  const types = Array.from(
    { length: configuration.numLayers },
    (_, i) => layerAttention(configuration, i, autoAs).type,
  );
  return configuration.causal && types.every((type) => type === 'favor' || type === 'exact');
}

function check(
  configuration: TransformerConfiguration,
  autoAs: 'favor' | 'exact',
  kinds: readonly OnnxGraphKind[],
  outputs: readonly SequenceOutput[],
): void {
  const isPossible = canStep(configuration, autoAs);
  if (kinds.includes('step') && !isPossible) {
    throw new ConfigurationError('This model cannot decode, so it has no graph "step": export "sequence" alone.');
  }
  const available = outputsOf(configuration);
  const unknown = outputs.find((name) => !available.includes(name));
  if (unknown !== undefined) {
    throw new ConfigurationError(`This model has no output ${unknown}: choose among ${available.join(', ')}.`);
  }
}
