import { type AddedToken, specialTokensFrom } from './added-tokens.ts';
import { CharacterTokenizer } from './characters.ts';

/** The letters of protein sequences (paper, Appendix C.1): the 20 standard amino acids and the codes B, O, U, X and Z. */
export const RESIDUES = 'ACDEFGHIKLMNPQRSTVWYBOUXZ';

const SPECIALS = ['<pad>', '<s>', '</s>', '<unk>', '<mask>'] as const;

/** Text of every id. */
export const PROTEIN_TOKENS: readonly string[] = [...SPECIALS, ...RESIDUES];

/** The special tokens, with the smallest ids. */
export const PROTEIN_SPECIALS: readonly AddedToken[] = specialTokensFrom(0, SPECIALS);

export const PROTEIN_UNKNOWN = SPECIALS.indexOf('<unk>');

/** Ids of the special tokens of `ProteinTokenizer`. */
interface ProteinSpecialTokens {
  readonly padding: 0;
  readonly beginning: 1;
  readonly end: 2;
  readonly unknown: 3;
  readonly mask: 4;
}

/**
 * The paper's vocabulary for proteins, 30 tokens with fixed ids:
 *
 * | id | token |
 * |---|---|
 * | 0 | `<pad>`, padding |
 * | 1 | `<s>`, beginning of a sequence |
 * | 2 | `</s>`, end of a sequence, and separator of concatenated ones |
 * | 3 | `<unk>`, anything that is no upper-case letter below |
 * | 4 | `<mask>` |
 * | 5 – 24 | A C D E F G H I K L M N P Q R S T V W Y |
 * | 25 – 29 | B (Asx), O (pyrrolysine), U (selenocysteine), X (unknown), Z (Glx) |
 *
 * The vocabulary has an end of text: token stores end every sequence with this token.
 */
export class ProteinTokenizer extends CharacterTokenizer {
  declare readonly specialTokens: ProteinSpecialTokens;
  declare readonly endOfText: 2;

  constructor() {
    super({ tokens: PROTEIN_TOKENS, unknown: PROTEIN_UNKNOWN, added: PROTEIN_SPECIALS });
  }
}
