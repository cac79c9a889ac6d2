import type { TransformerConfiguration } from '../../../model/configuration.ts';
import type { SpecialIds } from '../../../tokenizers/tokenizer.ts';
import { same, type TensorForm } from '../tensor-forms.ts';
import { type Demand, linear, type NamedTensor, norm } from './family.ts';

/** Names, within a layer, of what differs between the encoders. */
interface BlockNames {
  /** Holds query, key and value. */
  readonly attention: string;
  readonly attentionNorm: string;
  readonly feedForwardNorm: string;
}

/** Every block of an encoder, as BERT and those that took its code name them. */
export function encoderBlocks(
  { numLayers, dModel, dFeedForward }: TransformerConfiguration,
  names: BlockNames,
  queryKeyForm: TensorForm = same,
): NamedTensor[] {
  return Array.from({ length: numLayers }, (_, layer) => {
    const [ours, theirs] = [`blocks.${layer}`, `encoder.layer.${layer}`];
    const square = [dModel, dModel];
    return [
      ...linear(`${ours}.attention.query`, `${theirs}.${names.attention}.query`, square, { form: queryKeyForm }),
      ...linear(`${ours}.attention.key`, `${theirs}.${names.attention}.key`, square, { form: queryKeyForm }),
      ...linear(`${ours}.attention.value`, `${theirs}.${names.attention}.value`, square),
      ...linear(`${ours}.attention.output`, `${theirs}.attention.output.dense`, square),
      ...norm(`${ours}.attentionNorm`, `${theirs}.${names.attentionNorm}`, dModel),
      ...linear(`${ours}.feedForward.expand`, `${theirs}.intermediate.dense`, [dFeedForward, dModel]),
      ...linear(`${ours}.feedForward.contract`, `${theirs}.output.dense`, [dModel, dFeedForward]),
      ...norm(`${ours}.feedForwardNorm`, `${theirs}.${names.feedForwardNorm}`, dModel),
    ];
  }).flat();
}

/** RoBERTa's and ESM-2's classification head: a pooler of its own under another name, then the classifier. */
export function poolerAndClassifier({ dModel, pooler, numClasses }: TransformerConfiguration): NamedTensor[] {
  if (numClasses === undefined) return pooler ? linear('pooler', 'pooler.dense', [dModel, dModel]) : [];
  return [
    ...linear('pooler', 'classifier.dense', [dModel, dModel], { ofHead: true }),
    ...linear('classifier', 'classifier.out_proj', [numClasses, dModel], { ofHead: true }),
  ];
}

export interface EncoderSettings {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly hidden_dropout_prob: number;
  readonly layer_norm_eps: number;
}

/** The part of our configuration that encoders have in common. */
export function encoderOptions(config: EncoderSettings) {
  return {
    dModel: config.hidden_size,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    dFeedForward: config.intermediate_size,
    causal: false,
    dropout: config.hidden_dropout_prob,
    layerNormEpsilon: config.layer_norm_eps,
  } as const;
}

/** The heads that a file has. */
export interface Heads {
  readonly languageHead: boolean;
  readonly numClasses: number | undefined;
  /** Without a classification head, which always has one. */
  readonly pooler: boolean;
}

/** The heads of an encoder of tokens. */
export function headOptions(
  config: { readonly tie_word_embeddings: boolean },
  { languageHead, numClasses, pooler }: Heads,
) {
  return {
    languageHead,
    tiedEmbeddings: !languageHead || config.tie_word_embeddings,
    outputTransform: languageHead,
    outputBias: languageHead,
    pooler: numClasses !== undefined || pooler,
    numClasses,
  };
}

/** How the name of an encoder's class ends. */
export function modelKind({ languageHead, numClasses }: TransformerConfiguration): string {
  return languageHead ? 'ForMaskedLM' : numClasses === undefined ? 'Model' : 'ForSequenceClassification';
}

/** What the heads of masked language models and of classes ask for in BERT and those that took its code. */
export function headDemands(configuration: TransformerConfiguration): Demand[] {
  const { languageHead, outputTransform, outputBias, numClasses, pooler } = configuration;
  return [
    [!languageHead || (outputTransform && outputBias), 'outputTransform and outputBias in its language head'],
    [!languageHead || numClasses === undefined, 'languageHead: false beside a classification head'],
    [numClasses === undefined || pooler, 'a pooler before its classification head'],
  ];
}

/** The settings of config.json that encoders have in common. */
export function encoderConfig(configuration: TransformerConfiguration): Record<string, unknown> {
  return {
    hidden_size: configuration.dModel,
    num_hidden_layers: configuration.numLayers,
    num_attention_heads: configuration.numHeads,
    intermediate_size: configuration.dFeedForward,
    layer_norm_eps: configuration.layerNormEpsilon,
    hidden_dropout_prob: configuration.dropout,
    attention_probs_dropout_prob: configuration.dropout,
  };
}

export function specialIds({ padding, beginning, end }: SpecialIds): Record<string, unknown> {
  return {
    ...(padding === undefined ? {} : { pad_token_id: padding }),
    ...(beginning === undefined ? {} : { bos_token_id: beginning }),
    ...(end === undefined ? {} : { eos_token_id: end }),
  };
}
