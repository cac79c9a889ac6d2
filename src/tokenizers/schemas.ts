/** What this package reads of a tokenizer.json, and nothing that would change the ids. */
import * as z from 'zod/mini';

const no = () => z.optional(z.literal(false));

const integerVocabulary = () =>
  z.custom<Record<string, number>>(
    (value) => typeof value === 'object' && value !== null && Object.values(value).every((v) => Number.isInteger(v)),
    'must map tokens to integer ids',
  );

const addedToken = () =>
  z.object({
    id: z.int().check(z.minimum(0)),
    content: z.string().check(z.minLength(1), z.regex(/^\S+$/, 'must not contain white space')),
    single_word: no(),
    lstrip: no(),
    rstrip: no(),
    normalized: z.optional(z.boolean()),
    special: z.optional(z.boolean()),
  });

const common = () => ({
  truncation: z.optional(z.null()),
  padding: z.optional(z.null()),
  added_tokens: z._default(z.array(addedToken()), []),
  normalizer: z.optional(z.null()),
});

const byteLevel = () => ({
  ...common(),
  pre_tokenizer: z.object({
    type: z.literal('ByteLevel'),
    add_prefix_space: z.literal(false),
    use_regex: z.optional(z.literal(true)),
  }),
  post_processor: z.nullish(z.object({ type: z.literal('ByteLevel') })),
  decoder: z.object({ type: z.literal('ByteLevel') }),
});

const bpe = () => ({
  type: z.optional(z.literal('BPE')),
  dropout: z.optional(z.null()),
  continuing_subword_prefix: z.nullish(z.literal('')),
  end_of_word_suffix: z.nullish(z.literal('')),
  byte_fallback: no(),
  ignore_merges: no(),
  vocab: integerVocabulary(),
});

/** GPT-2's form of BPE; bytes are BPE without merges. */
export const byteLevelBpeSchema = z.lazy(() =>
  z.object({
    ...byteLevel(),
    model: z.object({ ...bpe(), merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])) }),
  }),
);

/** Characters: BPE without pre-tokenizer and merges. */
export const characterSchema = z.lazy(() =>
  z.object({
    ...common(),
    pre_tokenizer: z.optional(z.null()),
    post_processor: z.optional(z.null()),
    decoder: z.object({ type: z.literal('Fuse') }),
    model: z.object({
      ...bpe(),
      unk_token: z.string(),
      fuse_unk: no(),
      merges: z.array(z.never('must be empty where there is no pre-tokenizer')),
    }),
  }),
);

/** Unigram over bytes. */
export const byteLevelUnigramSchema = z.lazy(() =>
  z.object({
    ...byteLevel(),
    model: z.object({
      type: z.literal('Unigram'),
      unk_id: z.nullish(z.int()),
      byte_fallback: no(),
      vocab: z.array(z.tuple([z.string(), z.number()])),
    }),
  }),
);

/** The form of a file, known by what distinguishes the forms; everything else is then held to the form's schema. */
export const formSchema = z.lazy(() =>
  z.object({
    pre_tokenizer: z.optional(z.unknown()),
    model: z.object({ type: z.optional(z.unknown()) }),
  }),
);
