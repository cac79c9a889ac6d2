import type { TransformerConfiguration } from '../../../model/configuration.ts';
import { linear, type NamedTensor, named, norm } from './family.ts';

/** The copies of the token embedding and the tensors of the language head that RoBERTa and ESM-2 share. */
export const tiedOutput = ({ tiedEmbeddings }: TransformerConfiguration) =>
  tiedEmbeddings ? ['lm_head.decoder.weight'] : [];

/**
 * The bias of a language head. The library computes with that of the decoder and, unless weights are tied, keeps another
 * beside it that nothing reads.
 */
export function outputBias(bias: string, decoderBias: string, vocabSize: number, isTied: boolean): NamedTensor {
  const options = { ofHead: true, copies: [decoderBias], decides: decoderBias, writesCopies: !isTied };
  return named('output.bias', bias, [vocabSize], options);
}

/** @param hasDecoderBias whether the library's decoder has a bias of its own, as RoBERTa's has and ESM-2's has not */
export function languageHeadTensors(
  configuration: TransformerConfiguration,
  { hasDecoderBias }: { hasDecoderBias: boolean },
): NamedTensor[] {
  const { languageHead, tiedEmbeddings, vocabSize, dModel } = configuration;
  if (!languageHead) return [];
  const ofHead = true;
  return [
    ...linear('outputTransform.linear', 'lm_head.dense', [dModel, dModel], { ofHead }),
    ...norm('outputTransform.norm', 'lm_head.layer_norm', dModel, { ofHead }),
    hasDecoderBias
      ? outputBias('lm_head.bias', 'lm_head.decoder.bias', vocabSize, tiedEmbeddings)
      : named('output.bias', 'lm_head.bias', [vocabSize], {
          ofHead,
          copies: ['lm_head.decoder.bias'],
          decides: 'lm_head.bias',
        }),
    ...(tiedEmbeddings ? [] : [named('output.weight', 'lm_head.decoder.weight', [vocabSize, dModel], { ofHead })]),
  ];
}
