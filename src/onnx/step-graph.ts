import { ConfigurationError } from '../base/errors.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { Graph } from './graph.ts';
import type { OnnxGraph, OnnxValue } from './model-file.ts';
import type { Sequences } from './nodes/attention.ts';
import { type BlockContext, stack } from './nodes/blocks.ts';
import { embedTokens } from './nodes/embedding.ts';
import { exact, type Visibility, visibility } from './nodes/exact.ts';
import { favorCausal, givenPast, pastShapes } from './nodes/favor-causal.ts';
import { layerFeatures } from './nodes/features.ts';
import { tokenLogits } from './nodes/heads.ts';
import { layerAttention } from './nodes/layer-attention.ts';
import { rotaryTables } from './nodes/positions.ts';
import { BATCH, headsFirst, LENGTH } from './sequence-graph.ts';
import type { Weights } from './weights.ts';

/** Length of what the caches of exact layers hold, and of that with the new tokens. */
const PAST = 'past_sequence_length';
const TOTAL = 'total_sequence_length';

/** A part of the past: an input that takes what an output gave for the tokens before; float32. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  /** `batch_size` and `past_sequence_length` vary; the latter is 0 at first. */
  readonly shape: readonly (number | string)[];
  /** What it means, in words. */
  readonly description: string;
}

/**
 * A causal model over the next tokens, any number of them, with the past as inputs and outputs. The empty past is all zeros.
 * Names are those of Hugging Face's exports, so that their runtimes feed it.
 */
export function stepGraph(
  weights: Weights,
  configuration: TransformerConfiguration,
  auto: 'favor' | 'exact',
): { graph: OnnxGraph; states: StateTensor[] } {
  const graph = new Graph();
  const { dModel, numHeads, positions, tokenTypes, languageHead, vocabSize } = configuration;
  const batch = graph.dimension('input_ids', 0);
  const length = graph.dimension('input_ids', 1);
  const total = graph.dimension('attention_mask', 1);
  const allValid = graph.cast('attention_mask', 'float32');
  const valid = graph.slice(allValid, 1, graph.add('Sub', [total, length]), total);
  const rows = embedTokens(graph, weights, configuration, {
    ids: 'input_ids',
    tokenTypes: tokenTypes > 0 ? 'token_type_ids' : undefined,
    positions: 'position_ids',
    valid,
  });
  const rotary = positions === 'rotary' ? rotaryTables(graph, 'position_ids', dModel / numHeads) : undefined;
  const pasts = new Pasts(graph, weights, configuration, auto, { batch, length, valid }, { total, allValid });
  const context: BlockContext = {
    weights,
    configuration,
    batch,
    length,
    rotary,
    attend: (layer, heads) => pasts.attend(layer, heads),
  };
  const hidden = stack(graph, context, rows);
  const tokens = (name: string, ...shape: string[]): OnnxValue => ({ name, type: 'int64', shape });
  const inputs = [tokens('input_ids', BATCH, LENGTH), tokens('attention_mask', BATCH, TOTAL)];
  if (tokenTypes > 0) inputs.push(tokens('token_type_ids', BATCH, LENGTH));
  if (positions !== 'none') inputs.push(tokens('position_ids', BATCH, LENGTH));
  const states = graph.reshape(hidden, batch, length, dModel);
  graph.output(states, 'last_hidden_state');
  const result: OnnxValue[] = [{ name: 'last_hidden_state', type: 'float32', shape: [BATCH, LENGTH, dModel] }];
  if (languageHead) {
    inputs.push(tokens('num_logits_to_keep'));
    const kept = graph.reshape(lastPositions(graph, states), -1, dModel);
    graph.output(graph.reshape(tokenLogits(graph, weights, configuration, kept), batch, -1, vocabSize), 'logits');
    result.push({ name: 'logits', type: 'float32', shape: [BATCH, 'num_logits', vocabSize] });
  }
  const tensor = (name: string, shape: readonly (number | string)[]): OnnxValue => ({ name, type: 'float32', shape });
  return {
    graph: graph.finish(
      'performer',
      [...inputs, ...pasts.states.map(({ input, shape }) => tensor(input, shape))],
      [
        ...result,
        ...pasts.states.map(({ output, shape }) =>
          tensor(
            output,
            shape.map((dim) => (dim === PAST ? TOTAL : dim)),
          ),
        ),
      ],
    ),
    states: pasts.states,
  };
}

/** The last `num_logits_to_keep` positions; all if that is 0. */
function lastPositions(graph: Graph, hidden: string): string {
  const start = graph.unsqueeze(graph.add('Sub', [graph.integer(0), 'num_logits_to_keep']), 0);
  return graph.slice(hidden, 1, start, graph.integers(Number.MAX_SAFE_INTEGER));
}

/** The attentions of all layers with their pasts. */
class Pasts {
  readonly states: StateTensor[] = [];
  #seen: { readonly by: Visibility | undefined } | undefined;

  constructor(
    readonly graph: Graph,
    readonly weights: Weights,
    readonly configuration: TransformerConfiguration,
    readonly auto: 'favor' | 'exact',
    readonly sequences: Sequences & { readonly valid: string },
    readonly all: { readonly total: string; readonly allValid: string },
  ) {}

  attend(layer: number, heads: Parameters<BlockContext['attend']>[1]): string {
    const { graph, weights, configuration, sequences } = this;
    const chosen = layerAttention(configuration, layer, this.auto);
    if (chosen.type === 'exact') return this.#exact(layer, heads);
    if (chosen.type !== 'favor') {
      throw new ConfigurationError(
        `Attention ${chosen.type} cannot decode: export the graph over whole sequences alone.`,
      );
    }
    const features = layerFeatures(graph, weights, `blocks.${layer}.attention`, chosen, heads.dHead);
    const shapes = pastShapes(heads.heads, features);
    const { numFeatures } = features;
    const [, , width] = shapes.sums;
    const sums = this.#state(
      layer,
      'key',
      [BATCH, heads.heads, 2 * numFeatures, width],
      'sums of features times [value, 1], relative to the scales; after those of all features, what rounding left of them',
    );
    const scales = this.#state(
      layer,
      'value',
      [BATCH, ...shapes.scales],
      'natural logarithms of the scales of features',
    );
    const part = (half: number) => graph.slice(sums.input, 2, half * numFeatures, (half + 1) * numFeatures);
    const past = givenPast(graph, { sums: part(0), compensation: part(1), scales: scales.input }, features);
    const made = favorCausal(graph, heads, features, sequences, past, { steps: true });
    graph.output(graph.concat(2, made.past.sums, made.past.compensation as string), sums.output);
    graph.output(made.past.scales, scales.output);
    return made.rows;
  }

  #exact(layer: number, heads: Parameters<BlockContext['attend']>[1]): string {
    const { graph } = this;
    const { total, allValid } = this.all;
    const shape = [BATCH, heads.heads, PAST, heads.dHead];
    const [keys, values] = (['key', 'value'] as const).map((part) => {
      const state = this.#state(layer, part, shape, `${part}s of all earlier tokens`);
      const all = graph.concat(2, state.input, headsFirst(graph, part === 'key' ? heads.keys : heads.values));
      graph.output(all, state.output);
      return all;
    });
    this.#seen ??= {
      by: visibility(graph, { ...this.sequences, valid: allValid }, { causal: true, lengthK: total }),
    };
    return exact(graph, heads, keys, values, this.#seen.by);
  }

  #state(layer: number, part: 'key' | 'value', shape: readonly (number | string)[], description: string): StateTensor {
    const state = {
      input: `past_key_values.${layer}.${part}`,
      output: `present.${layer}.${part}`,
      shape,
      description,
    };
    this.states.push(state);
    return state;
  }
}
