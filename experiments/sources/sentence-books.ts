import file from '../sentences/sentences.json' with { type: 'json' };

/** 200 sentences of two novels, on which embeddings are compared; `sentences/choose.mjs` chose them. */
export const sentences: readonly string[] = file.sentences;

/** The novels that they are of, so that no training reads them: part of the names of their files. */
export const sentenceBooks: readonly string[] = ['Stevenson_Treasure_1883', 'Haggard_She_1887'];
