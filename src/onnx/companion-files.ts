import { checkArguments, option } from '../base/options.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { transformerConfigurationKind } from '../model/configuration.ts';
import type { SpecialIds } from '../tokenizers/tokenizer.ts';
import type { OnnxExport } from './export.ts';

/**
 * What transformers.js reads beside the graphs: config.json, and for causal models generation_config.json. Its `model_type` only
 * chooses how the library feeds the graph, which says by itself what is computed.
 *
 * @param kept what config.json of the model that this one comes from said: it stays, but for what the graphs are fed
 * @returns file name → text, onnx/states.json with the past of the graph `step` among them
 */
export function onnxCompanions(
  configuration: TransformerConfiguration,
  specials: SpecialIds,
  exported: OnnxExport,
  kept: Readonly<Record<string, unknown>> = {},
): Map<string, string> {
  checkArguments(
    'onnxCompanions',
    { configuration, specials, exported, kept },
    {
      configuration: transformerConfigurationKind,
      specials: option.object,
      exported: option.having('what exportOnnx() gives', { files: option.mapOf(option.bytes), states: option.list }),
      kept: option.object,
    },
  );
  const { padding, beginning, end } = specials;
  const { files: graphs, states } = exported;
  const ids = Object.fromEntries(
    Object.entries({ pad_token_id: padding, bos_token_id: beginning, eos_token_id: end }).filter(
      ([, id]) => id !== undefined,
    ),
  );
  // The graphs are float32; in browsers the library would look for quantised ones.
  const library: Record<string, unknown> = { dtype: 'fp32' };
  if ([...graphs.keys()].some((name) => name.endsWith('_data'))) library.use_external_data_format = true;
  const own = hubConfiguration(configuration);
  const config = { ...ids, ...kept, ...own, ...keptLabels(kept), 'transformers.js_config': library };
  const files = new Map([['config.json', json(config)]]);
  if (configuration.causal) files.set('generation_config.json', json(ids));
  if (states.length > 0) {
    files.set('onnx/states.json', json({ graph: 'model.onnx', type: 'float32', initial: 0, states }));
  }
  return files;
}

function keptLabels({ id2label, label2id }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return id2label === undefined ? {} : { id2label, label2id };
}

function hubConfiguration(configuration: TransformerConfiguration): Record<string, unknown> {
  const { vocabSize, dModel, numLayers, numHeads, dFeedForward, maxLength, numClasses } = configuration;
  const { patches, causal, tokenTypes, languageHead } = configuration;
  const labels = Array.from({ length: numClasses ?? 0 }, (_, i) => `LABEL_${i}`);
  const classes = numClasses === undefined ? {} : { id2label: { ...labels } };
  if (causal) {
    return {
      model_type: 'gpt2',
      architectures: [languageHead ? 'GPT2LMHeadModel' : 'GPT2Model'],
      vocab_size: vocabSize,
      n_embd: dModel,
      n_layer: numLayers,
      n_head: numHeads,
      n_inner: dFeedForward,
      n_positions: maxLength,
      ...classes,
    };
  }
  const common = {
    hidden_size: dModel,
    num_hidden_layers: numLayers,
    num_attention_heads: numHeads,
    intermediate_size: dFeedForward,
    ...classes,
  };
  if (patches) {
    return {
      model_type: 'vit',
      architectures: [numClasses === undefined ? 'ViTModel' : 'ViTForImageClassification'],
      image_size: patches.imageSize,
      patch_size: patches.patchSize,
      num_channels: patches.channels,
      ...common,
    };
  }
  const head = numClasses !== undefined ? 'ForSequenceClassification' : languageHead ? 'ForMaskedLM' : 'Model';
  return {
    model_type: 'bert',
    architectures: [`Bert${head}`],
    vocab_size: vocabSize,
    max_position_embeddings: maxLength,
    type_vocab_size: tokenTypes,
    ...common,
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
