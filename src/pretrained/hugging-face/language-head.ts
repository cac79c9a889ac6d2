import type { TransformerConfiguration } from '../../models/configuration.ts';
import { linear, type NamedTensor, named, norm } from './family.ts';

/** The copies of the token embedding and the tensors of the language head that RoBERTa and ESM-2 share. */
export const tiedOutput = ({ tiedEmbeddings }: TransformerConfiguration) =>
  tiedEmbeddings ? ['lm_head.decoder.weight'] : [];

export function languageHeadTensors(configuration: TransformerConfiguration): NamedTensor[] {
  const { languageHead, tiedEmbeddings, vocabSize, dModel } = configuration;
  if (!languageHead) return [];
  const ofHead = true;
  return [
    ...linear('outputTransform.linear', 'lm_head.dense', [dModel, dModel], { ofHead }),
    ...norm('outputTransform.norm', 'lm_head.layer_norm', dModel, { ofHead }),
    named('output.bias', 'lm_head.bias', [vocabSize], { ofHead, copies: ['lm_head.decoder.bias'] }),
    ...(tiedEmbeddings ? [] : [named('output.weight', 'lm_head.decoder.weight', [vocabSize, dModel], { ofHead })]),
  ];
}
