/** Tokens that are recognised by their text before anything else, and the roles that some of them play. */

import { type OptionKind, type OptionKinds, option } from '../base/options.ts';
import { compileExpression } from './expression.ts';
import type { AddedTokenJson, SpecialRole, SpecialTokens } from './tokenizer.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Looked for only after the tokens for which this is false. */
  readonly normalized: boolean;
}

/** Texts by which each role is recognised; this package writes the first. */
const TEXTS: Readonly<Record<SpecialRole, readonly string[]>> = {
  padding: ['<pad>', '[PAD]'],
  mask: ['<mask>', '[MASK]'],
  unknown: ['<unk>', '[UNK]'],
  beginning: ['<s>', '<bos>', '<cls>', '[CLS]'],
  end: ['<|endoftext|>', '</s>', '<eos>', '[SEP]'],
};

/** Roles in the order in which `specialTokensFrom` gives out ids. */
const ROLES = Object.keys(TEXTS) as SpecialRole[];

/** Roles by the texts of added tokens; the first text of a role's list wins. */
export function rolesOf(added: readonly AddedToken[]): SpecialTokens {
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const found = ROLES.map((role) => [role, TEXTS[role].find((text) => ids.has(text))] as const);
  return Object.fromEntries(found.flatMap(([role, text]) => (text === undefined ? [] : [[role, ids.get(text)!]])));
}

/** What trained tokenizers may be given. */
export interface SpecialTokenOptions {
  /** Add `<|endoftext|>` as the last id; where it occurs in a text it ends a document. Default false. */
  endOfText?: boolean;
  /** Add `<mask>`, to train with tokens masked. Default false. */
  mask?: boolean;
  /** Add `<pad>`, which fills rows. Default false. */
  padding?: boolean;
}

export const specialKinds: OptionKinds<SpecialTokenOptions> = {
  endOfText: option.boolean,
  mask: option.boolean,
  padding: option.boolean,
};

/** Texts of the special tokens that options ask for, in the order of their ids. */
export function specialTexts({ endOfText = false, mask = false, padding = false }: SpecialTokenOptions): string[] {
  const roles = [padding && 'padding', mask && 'mask', endOfText && 'end'] as const;
  return roles.flatMap((role) => (role ? [TEXTS[role][0]!] : []));
}

/** Special tokens with ids from `firstId` on. */
export function specialTokensFrom(firstId: number, texts: readonly string[]): AddedToken[] {
  return texts.map((content, i) => ({ id: firstId + i, content, special: true, normalized: false }));
}

export function addedTokenToJson({ id, content, special, normalized }: AddedToken): AddedTokenJson {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized, special };
}

/** Matches any of the texts, the longest first. */
export function patternOf(texts: readonly string[]): RegExp {
  const byLength = [...texts].sort((a, b) => b.length - a.length);
  return compileExpression(byLength.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
}

export const addedTokensKind: OptionKind = option.listOf(
  option.having('an added token', {
    id: option.natural,
    content: option.string,
    special: option.boolean,
    normalized: option.boolean,
  }),
);
