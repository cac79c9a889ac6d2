import { z } from '../../../base/zod.ts';
import { activationName, activationOf, common, id, isFor, refuseOthers, size } from '../config-file.ts';
import { transposed } from '../tensor-forms.ts';
import { specialIds } from './encoder-blocks.ts';
import { family, named, norm } from './family.ts';

const schema = z.lazy(() =>
  z.object({
    ...common(),
    vocab_size: size(),
    n_embd: size(),
    n_layer: size(),
    n_head: size(),
    n_positions: size(),
    n_inner: z.nullish(size()),
    activation_function: z._default(z.string(), 'gelu_new'),
    layer_norm_epsilon: z._default(z.number().check(z.positive()), 1e-5),
    resid_pdrop: z._default(z.number().check(z.minimum(0), z.lt(1)), 0.1),
    bos_token_id: z.nullish(id()),
    eos_token_id: z.nullish(id()),
    pad_token_id: z.nullish(id()),
  }),
);

/** GPT-2 (Radford et al. 2019). Its linear layers are Conv1D: weights `[dIn, dOut]`, those of query, key and value as one. */
export const gpt2 = family(schema, {
  name: 'gpt2',
  modelTypes: ['gpt2'],
  prefix: 'transformer.',

  configure(config, file, has) {
    refuseOthers(file, {
      scale_attn_weights: [true],
      scale_attn_by_inverse_layer_idx: [false],
      add_cross_attention: [false],
    });
    const languageHead = isFor(config, 'LMHeadModel') || !config.architectures || has('lm_head.weight');
    return {
      options: {
        vocabSize: config.vocab_size,
        dModel: config.n_embd,
        numLayers: config.n_layer,
        numHeads: config.n_head,
        dFeedForward: config.n_inner ?? 4 * config.n_embd,
        maxLength: config.n_positions,
        positions: 'learned',
        causal: true,
        activation: activationOf(file, 'activation_function', config.activation_function),
        dropout: config.resid_pdrop,
        norm: 'pre',
        layerNormEpsilon: config.layer_norm_epsilon,
        languageHead,
        tiedEmbeddings: !languageHead || config.tie_word_embeddings,
      },
      ids: {
        padding: config.pad_token_id ?? undefined,
        beginning: config.bos_token_id ?? undefined,
        end: config.eos_token_id ?? undefined,
      },
    };
  },

  tensors(configuration) {
    const { vocabSize, dModel, maxLength, numLayers, dFeedForward, languageHead, tiedEmbeddings } = configuration;
    const convolution = (ours: readonly string[], theirs: string, dIn: number, dOut: number) => [
      named(
        ours.map((name) => `${name}.weight`),
        `${theirs}.weight`,
        [dIn, dOut],
        { form: transposed },
      ),
      named(
        ours.map((name) => `${name}.bias`),
        `${theirs}.bias`,
        [dOut],
      ),
    ];
    const blocks = Array.from({ length: numLayers }, (_, layer) => {
      const [ours, theirs] = [`blocks.${layer}`, `h.${layer}`];
      const attention = ['query', 'key', 'value'].map((name) => `${ours}.attention.${name}`);
      return [
        ...norm(`${ours}.attentionNorm`, `${theirs}.ln_1`, dModel),
        ...convolution(attention, `${theirs}.attn.c_attn`, dModel, 3 * dModel),
        ...convolution([`${ours}.attention.output`], `${theirs}.attn.c_proj`, dModel, dModel),
        ...norm(`${ours}.feedForwardNorm`, `${theirs}.ln_2`, dModel),
        ...convolution([`${ours}.feedForward.expand`], `${theirs}.mlp.c_fc`, dModel, dFeedForward),
        ...convolution([`${ours}.feedForward.contract`], `${theirs}.mlp.c_proj`, dFeedForward, dModel),
      ];
    });
    return [
      named('tokens.weight', 'wte.weight', [vocabSize, dModel], { copies: tiedEmbeddings ? ['lm_head.weight'] : [] }),
      named('positions.weight', 'wpe.weight', [maxLength, dModel]),
      ...blocks.flat(),
      ...norm('norm', 'ln_f', dModel),
      ...(languageHead && !tiedEmbeddings
        ? [named('output.weight', 'lm_head.weight', [vocabSize, dModel], { ofHead: true })]
        : []),
    ];
  },

  demands: (configuration) => [
    [configuration.norm === 'pre', 'norm: pre'],
    [configuration.positions === 'learned', 'positions: learned'],
    [!configuration.embeddingNorm, 'embeddingNorm: false'],
    [configuration.tokenTypes === 0, 'tokenTypes: 0'],
    [!configuration.outputTransform && !configuration.outputBias, 'a language head of one matrix'],
    [configuration.numClasses === undefined && !configuration.pooler, 'neither a pooler nor a classification head'],
  ],

  config: (configuration, ids) => ({
    architectures: [configuration.languageHead ? 'GPT2LMHeadModel' : 'GPT2Model'],
    vocab_size: configuration.vocabSize,
    n_embd: configuration.dModel,
    n_layer: configuration.numLayers,
    n_head: configuration.numHeads,
    n_inner: configuration.dFeedForward,
    n_positions: configuration.maxLength,
    activation_function: activationName(configuration.activation),
    layer_norm_epsilon: configuration.layerNormEpsilon,
    resid_pdrop: configuration.dropout,
    embd_pdrop: configuration.dropout,
    attn_pdrop: configuration.dropout,
    tie_word_embeddings: configuration.tiedEmbeddings,
    ...specialIds(ids),
  }),
});
