import { ConfigurationError } from '../base/errors.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { numPatches } from '../model/layers/patch-embedding.ts';
import { Graph } from './graph.ts';
import type { OnnxGraph, OnnxValue } from './model-file.ts';
import type { Heads, Sequences } from './nodes/attention.ts';
import { type BlockContext, stack } from './nodes/blocks.ts';
import { embedImages, embedTokens } from './nodes/embedding.ts';
import { exact, type Visibility, visibility } from './nodes/exact.ts';
import { favor } from './nodes/favor.ts';
import { emptyPast, favorCausal } from './nodes/favor-causal.ts';
import { layerFeatures } from './nodes/features.ts';
import { classLogits, type PooledInput, poolerOutput, tokenLogits } from './nodes/heads.ts';
import { layerAttention } from './nodes/layer-attention.ts';
import { linformer } from './nodes/linformer.ts';
import { rotaryTables } from './nodes/positions.ts';
import type { Weights } from './weights.ts';

/** What a graph over whole sequences can give. */
export const sequenceOutputs = ['last_hidden_state', 'logits', 'token_logits', 'pooler_output'] as const;
export type SequenceOutput = (typeof sequenceOutputs)[number];

/** The outputs that a model has. `logits` are those of its classification head, if it has one, else those over tokens. */
export function outputsOf({ languageHead, numClasses, pooler }: TransformerConfiguration): SequenceOutput[] {
  const outputs: SequenceOutput[] = ['last_hidden_state'];
  if (numClasses !== undefined || languageHead) outputs.push('logits');
  if (numClasses !== undefined && languageHead) outputs.push('token_logits');
  if (pooler) outputs.push('pooler_output');
  return outputs;
}

/** Names of dimensions that vary. */
export const BATCH = 'batch_size';
export const LENGTH = 'sequence_length';

/** A model over whole sequences, bidirectional or causal. */
export function sequenceGraph(
  weights: Weights,
  configuration: TransformerConfiguration,
  auto: 'favor' | 'exact',
  outputs: readonly SequenceOutput[],
): OnnxGraph {
  const graph = new Graph();
  const { dModel, numHeads, positions } = configuration;
  const given = configuration.patches
    ? imageInputs(graph, weights, { ...configuration, patches: configuration.patches })
    : tokenInputs(graph, weights, configuration);
  const { sequences, positionIds } = given;
  const rotary =
    positions === 'rotary' && positionIds !== undefined
      ? rotaryTables(graph, positionIds, dModel / numHeads)
      : undefined;
  const attend = attention(graph, weights, configuration, auto, sequences);
  const context: BlockContext = { weights, configuration, ...sequences, rotary, attend };
  const rows = stack(graph, context, given.rows);
  const made = outputs.map((name) => output(graph, context, rows, sequences, name, given.length));
  return graph.finish('performer', given.inputs, made);
}

interface Given {
  readonly inputs: readonly OnnxValue[];
  readonly sequences: Sequences;
  /** int64 `[batch, length]`, where the model has positions */
  readonly positionIds?: string;
  /** Embedded inputs. */
  readonly rows: string;
  /** Name or number of the length. */
  readonly length: string | number;
}

function tokenInputs(graph: Graph, weights: Weights, configuration: TransformerConfiguration): Given {
  const names = ['input_ids', 'attention_mask', ...(configuration.tokenTypes > 0 ? ['token_type_ids'] : [])];
  const batch = graph.dimension('input_ids', 0);
  const length = graph.dimension('input_ids', 1);
  const valid = graph.cast('attention_mask', 'float32');
  const range = graph.add('Range', [graph.integer(0), graph.squeeze(length, 0), graph.integer(1)]);
  const positionIds =
    configuration.positions === 'none' ? undefined : countedPositions(graph, graph.unsqueeze(range, 0), valid);
  const rows = embedTokens(graph, weights, configuration, {
    ids: 'input_ids',
    tokenTypes: configuration.tokenTypes > 0 ? 'token_type_ids' : undefined,
    positions: positionIds ?? '',
    valid,
  });
  const inputs = names.map((name): OnnxValue => ({ name, type: 'int64', shape: [BATCH, LENGTH] }));
  const positionsGiven = positionIds === undefined ? {} : { positionIds };
  return { inputs, sequences: { batch, length, valid }, ...positionsGiven, rows, length: LENGTH };
}

/** Positions counted from the first valid position of each row, and padding before that from 0: int64 `[batch, length]`. */
function countedPositions(graph: Graph, range: string, valid: string): string {
  const first = graph.add('ArgMax', [valid], { axis: 1, keepdims: 1 });
  return graph.add('Where', [graph.add('Less', [range, first]), range, graph.add('Sub', [range, first])]);
}

function imageInputs(graph: Graph, weights: Weights, configuration: Parameters<typeof embedImages>[2]): Given {
  const { channels, imageSize } = configuration.patches;
  const batch = graph.dimension('pixel_values', 0);
  const length = 1 + numPatches(configuration.patches);
  return {
    inputs: [{ name: 'pixel_values', type: 'float32', shape: [BATCH, channels, imageSize, imageSize] }],
    sequences: { batch, length: graph.integers(length), valid: undefined },
    rows: embedImages(graph, weights, configuration, 'pixel_values', batch),
    length,
  };
}

function attention(
  graph: Graph,
  weights: Weights,
  configuration: TransformerConfiguration,
  auto: 'favor' | 'exact',
  sequences: Sequences,
): BlockContext['attend'] {
  const { causal } = configuration;
  let seen: { readonly by: Visibility | undefined } | undefined;
  return (layer, heads) => {
    const chosen = layerAttention(configuration, layer, auto);
    const name = `blocks.${layer}.attention`;
    switch (chosen.type) {
      case 'exact': {
        seen ??= { by: visibility(graph, sequences, { causal }) };
        return exact(graph, heads, headsFirst(graph, heads.keys), headsFirst(graph, heads.values), seen.by);
      }
      case 'linformer':
        return linformer(graph, weights, name, heads, sequences);
      case 'favor': {
        const features = layerFeatures(graph, weights, name, chosen, heads.dHead);
        if (!causal) return favor(graph, heads, features, sequences);
        return causalRows(graph, heads, features, sequences);
      }
    }
  };
}

function causalRows(
  graph: Graph,
  heads: Heads,
  features: ReturnType<typeof layerFeatures>,
  sequences: Sequences,
): string {
  const { valid } = sequences;
  if (valid === undefined)
    throw new ConfigurationError('A causal graph needs an attention mask: this is a fault of the exporter.');
  const past = emptyPast(graph, sequences, heads.heads, features);
  return favorCausal(graph, heads, features, { ...sequences, valid }, past, { steps: false }).rows;
}

/** `[batch, length, heads, d]` → `[batch, heads, length, d]` */
export function headsFirst(graph: Graph, x: string): string {
  return graph.transpose(x, 0, 2, 1, 3);
}

function output(
  graph: Graph,
  { weights, configuration }: BlockContext,
  rows: string,
  sequences: Sequences,
  name: SequenceOutput,
  lengthName: string | number,
): OnnxValue {
  const { batch, length } = sequences;
  const { dModel, vocabSize, numClasses } = configuration;
  const hidden = () => graph.once('hidden', () => graph.reshape(rows, batch, length, dModel));
  const pooled = (): PooledInput => ({
    hidden: hidden(),
    valid: sequences.valid ?? graph.add('Expand', [graph.float(1), graph.shape(batch, length)]),
    length,
  });
  const named = (value: string, ...shape: (string | number)[]): OnnxValue => {
    graph.output(value, name);
    return { name, type: 'float32', shape: [BATCH, ...shape] };
  };
  if (name === 'last_hidden_state') return named(hidden(), lengthName, dModel);
  if (name === 'pooler_output') return named(poolerOutput(graph, weights, pooled()), dModel);
  if (name === 'logits' && numClasses !== undefined) {
    return named(classLogits(graph, weights, configuration, pooled()), numClasses);
  }
  const logits = tokenLogits(graph, weights, configuration, rows);
  return named(graph.reshape(logits, batch, length, vocabSize), lengthName, vocabSize);
}
