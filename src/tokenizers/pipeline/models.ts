/** Models of the Rust library `tokenizers`: from pre-tokens to ids. */
import { DataError } from '../../base/errors.ts';
import { z } from '../../base/zod.ts';
import { mergePairs } from '../byte-level/merge.ts';
import { PairMap } from '../training/pair-map.ts';
import { fieldsOf, ofType, type Part } from './part.ts';

export interface Model {
  /** Ids of the tokens. */
  readonly vocab: ReadonlyMap<string, number>;
  /** What the library counts as the number of tokens: added ones are numbered from there. */
  readonly size: number;
  readonly unknown: number | undefined;
  /** Ids of one pre-token, which is not empty. */
  encode(text: string): readonly number[] | Int32Array;
}

/** @throws DataError when the part is of a type, or has a key, that is not supported, or contradicts itself */
export function readModel(part: Part): Model {
  const { type } = part.json;
  if (type !== undefined) return ofType(part, models)(part);
  return models[typeOf(part.json)]!(part);
}

/** Files of old have no type; the library tries one form after the other. */
function typeOf(json: Part['json']): 'BPE' | 'Unigram' | 'WordPiece' | 'WordLevel' {
  if ('merges' in json) return 'BPE';
  if (Array.isArray(json.vocab)) return 'Unigram';
  return 'continuing_subword_prefix' in json ? 'WordPiece' : 'WordLevel';
}

const models: Readonly<Record<string, (part: Part) => Model>> = {
  BPE: bpe,
  Unigram: unigram,
  WordLevel(part) {
    const { vocab: tokens, unk_token: text } = fieldsOf(part, { vocab: vocabulary(), unk_token: z.string() });
    const vocab = boundedVocabulary(Object.entries(tokens), part);
    const unknown = vocab.get(text);
    const missing = unknownMissing(part, text);
    return {
      vocab,
      size: vocab.size,
      unknown,
      encode: (word) => [vocab.get(word) ?? unknown ?? missing(word)],
    };
  },
  WordPiece(part) {
    const fields = fieldsOf(part, {
      vocab: vocabulary(),
      unk_token: z.string(),
      continuing_subword_prefix: z.string(),
      max_input_chars_per_word: z.int().check(z.minimum(0)),
    });
    const vocab = boundedVocabulary(Object.entries(fields.vocab), part);
    const unknown = vocab.get(fields.unk_token);
    const missing = unknownMissing(part, fields.unk_token);
    const prefix = fields.continuing_subword_prefix;
    return {
      vocab,
      size: vocab.size,
      unknown,
      encode(word) {
        const characters = [...word];
        const ids: number[] = [];
        let start = characters.length > fields.max_input_chars_per_word ? -1 : 0;
        while (start !== -1 && start < characters.length) {
          let end = characters.length;
          let id: number | undefined;
          for (; end > start; end--) {
            id = vocab.get((start > 0 ? prefix : '') + characters.slice(start, end).join(''));
            if (id !== undefined) break;
          }
          if (id !== undefined) ids.push(id);
          start = id === undefined ? -1 : end;
        }
        return start === -1 ? [unknown ?? missing(word)] : ids;
      },
    };
  },
};

function vocabulary() {
  return z.record(z.string(), z.int().check(z.minimum(0)));
}

/** Ids for one token of a vocabulary, above which a file is taken for damaged: tables are as long as the largest id. */
const LARGEST_ID_PER_TOKEN = 64;

function boundedVocabulary(
  entries: readonly (readonly [token: string, id: number])[],
  part: Part,
): Map<string, number> {
  const largest = LARGEST_ID_PER_TOKEN * (entries.length + 1024);
  for (const [token, id] of entries) {
    if (id > largest) {
      throw new DataError(
        `${part.where}.vocab gives ${JSON.stringify(token)} the id ${id}, though it has ${entries.length} tokens: number tokens from 0 on.`,
      );
    }
  }
  return new Map(entries);
}

function unknownMissing({ where }: Part, token: string | null | undefined): (text: string) => never {
  return (text) => {
    throw new DataError(
      `${where}.vocab lacks ${JSON.stringify(text)}, and unk_token ${JSON.stringify(token ?? null)} is no token of it: add one.`,
    );
  };
}

/** Texts that were seen lately and their ids. */
const CACHE_SIZE = 10_000;
const LONGEST_CACHED = 256;

function bpe(part: Part): Model {
  const fields = fieldsOf(part, {
    vocab: vocabulary(),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    dropout: z.nullish(z.number().check(z.minimum(0), z.maximum(1))),
    unk_token: z.nullish(z.string()),
    continuing_subword_prefix: z.nullish(z.string()),
    end_of_word_suffix: z.nullish(z.string()),
    fuse_unk: z._default(z.boolean(), false),
    byte_fallback: z._default(z.boolean(), false),
    ignore_merges: z._default(z.boolean(), false),
  });
  const { dropout, fuse_unk: fuses, byte_fallback: fallsBack } = fields;
  const prefix = fields.continuing_subword_prefix ?? '';
  const suffix = fields.end_of_word_suffix ?? '';
  if (dropout && dropout < 1) {
    throw new DataError(
      `${part.where}.dropout is ${dropout}, which makes ids differ from call to call: set it to null.`,
    );
  }
  const vocab = boundedVocabulary(Object.entries(fields.vocab), part);
  const { ranks, merged } = readMerges(fields.merges, vocab, prefix, part);
  const byteIds = Array.from({ length: 256 }, (_, byte) => vocab.get(byteToken(byte)));
  const unknown = fields.unk_token === null || fields.unk_token === undefined ? undefined : vocab.get(fields.unk_token);
  const missing = unknownMissing(part, fields.unk_token);
  const encoder = new TextEncoder();

  const symbolsOf = (text: string): number[] => {
    const symbols: number[] = [];
    const characters = [...text];
    let pending = false;
    characters.forEach((character, i) => {
      const symbol = (i > 0 ? prefix : '') + character + (i === characters.length - 1 ? suffix : '');
      const id = vocab.get(symbol);
      if (id !== undefined) {
        if (pending) symbols.push(unknown!);
        pending = false;
        symbols.push(id);
        return;
      }
      if (fallsBack) {
        const ids = Array.from(encoder.encode(symbol), (byte) => byteIds[byte]);
        if (ids.every((found) => found !== undefined)) {
          // The unknown before stays pending here, as in the library.
          symbols.push(...(ids as number[]));
          return;
        }
      }
      if (fields.unk_token === null || fields.unk_token === undefined) return;
      if (unknown === undefined) missing(symbol);
      if (pending && !fuses) symbols.push(unknown!);
      pending = true;
    });
    if (pending) symbols.push(unknown!);
    return symbols;
  };
  const merge = (text: string) => {
    const symbols = symbolsOf(text);
    return dropout === 1 ? symbols : mergePairs(Int32Array.from(symbols), ranks, merged);
  };
  const cache = new Map<string, readonly number[] | Int32Array>();
  return {
    vocab,
    size: vocab.size,
    unknown,
    encode(text) {
      const whole = fields.ignore_merges && !dropout ? vocab.get(text) : undefined;
      if (whole !== undefined) return [whole];
      const cached = cache.get(text);
      if (cached) return cached;
      const ids = merge(text);
      if (text.length <= LONGEST_CACHED) {
        if (cache.size === CACHE_SIZE) cache.clear();
        cache.set(text, ids);
      }
      return ids;
    },
  };
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

function readMerges(
  merges: readonly (string | readonly [string, string])[],
  vocab: ReadonlyMap<string, number>,
  prefix: string,
  { where }: Part,
): { ranks: PairMap; merged: Int32Array } {
  const ranks = new PairMap();
  const merged = new Int32Array(merges.length);
  // Files of old may begin with a line that names their version.
  const isVersion = (merge: string | readonly [string, string]) =>
    typeof merge === 'string' && merge.startsWith('#version');
  merges.forEach((merge, rank) => {
    if (isVersion(merge)) return;
    const [left, right, ...rest] = typeof merge === 'string' ? merge.split(' ') : merge;
    if (left === undefined || right === undefined || rest.length > 0) {
      throw new DataError(`${where}.merges.${rank} is not a pair of tokens: restore the file from a copy.`);
    }
    const ids = [left, right, left + right.slice(prefix.length)].map((token) => {
      const id = vocab.get(token);
      if (id !== undefined) return id;
      throw new DataError(
        `${where}.merges.${rank} needs the token ${JSON.stringify(token)}, which vocab lacks: restore the file from a copy.`,
      );
    });
    ranks.set(ids[0]!, ids[1]!, rank);
    merged[rank] = ids[2]!;
  });
  return { ranks, merged };
}

/** What an unknown character scores below the least token. */
const UNKNOWN_PENALTY = 10;

function unigram(part: Part): Model {
  const fields = fieldsOf(part, {
    vocab: z.array(z.tuple([z.string(), z.number()])),
    unk_id: z.nullish(z.int().check(z.minimum(0))),
    byte_fallback: z._default(z.boolean(), false),
  });
  const unknown = fields.unk_id ?? undefined;
  if (unknown !== undefined && unknown >= fields.vocab.length) {
    throw new DataError(
      `${part.where}.unk_id is ${unknown}, though it has ${fields.vocab.length} tokens: restore the file from a copy.`,
    );
  }
  const vocab = new Map(fields.vocab.map(([token], id) => [token, id]));
  const scores = Float64Array.from(fields.vocab, ([, score]) => score);
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY;
  const trie = new Trie(vocab);
  const missing = unknownMissing(part, undefined);
  const encoder = new TextEncoder();
  return {
    vocab,
    size: fields.vocab.length,
    unknown,
    encode(text) {
      const best = bestPath(text, trie, scores, unknownScore, unknown, missing);
      const ids: number[] = [];
      for (const [start, end] of fused(best, text.length, unknown)) {
        const token = text.slice(start, end);
        const id = vocab.get(token);
        const bytes =
          id === undefined && fields.byte_fallback
            ? Array.from(encoder.encode(token), (byte) => vocab.get(byteToken(byte)))
            : [undefined];
        if (id !== undefined) ids.push(id);
        else if (bytes.every((found) => found !== undefined)) ids.push(...(bytes as number[]));
        else ids.push(unknown ?? missing(token));
      }
      return ids;
    },
  };
}

interface Paths {
  /** Where the last token of the best path to each place starts; −1 where there is no path. */
  readonly starts: Int32Array;
  readonly ids: Int32Array;
}

/** Best paths to every place of a text. */
function bestPath(
  text: string,
  trie: Trie,
  scores: Float64Array,
  unknownScore: number,
  unknown: number | undefined,
  missing: (text: string) => never,
): Paths {
  const starts = new Int32Array(text.length + 1).fill(-1);
  const ids = new Int32Array(text.length + 1);
  const totals = new Float64Array(text.length + 1);
  const offer = (start: number, end: number, id: number, score: number) => {
    const total = totals[start]! + score;
    if (starts[end] !== -1 && total <= totals[end]!) return;
    starts[end] = start;
    ids[end] = id;
    totals[end] = total;
  };
  for (let start = 0; start < text.length; ) {
    const width = text.codePointAt(start)! > 0xffff ? 2 : 1;
    let hasCharacter = false;
    trie.prefixes(text, start, (end, id) => {
      offer(start, end, id, scores[id]!);
      hasCharacter ||= end === start + width;
    });
    if (!hasCharacter) {
      offer(start, start + width, unknown ?? missing(text.slice(start, start + width)), unknownScore);
    }
    start += width;
  }
  return { starts, ids };
}

/** The stretches of the best path, neighbours that are unknown as one. */
function fused({ starts, ids }: Paths, length: number, unknown: number | undefined): [start: number, end: number][] {
  const stretches: [number, number][] = [];
  let wasUnknown = false;
  for (let end = length; end > 0; end = starts[end]!) {
    const isUnknown = unknown !== undefined && ids[end] === unknown;
    if (isUnknown && wasUnknown) stretches.at(-1)![0] = starts[end]!;
    else stretches.push([starts[end]!, end]);
    wasUnknown = isUnknown;
  }
  return stretches.reverse();
}

/** Finds the tokens that begin at a place. */
class Trie {
  private readonly children = new PairMap();
  private readonly idOfNode: number[] = [-1];

  constructor(vocab: ReadonlyMap<string, number>) {
    for (const [token, id] of vocab) {
      let node = 0;
      for (let i = 0; i < token.length; i++) {
        let child = this.children.get(node, token.charCodeAt(i));
        if (child === -1) {
          child = this.idOfNode.length;
          this.children.set(node, token.charCodeAt(i), child);
          this.idOfNode.push(-1);
        }
        node = child;
      }
      if (node > 0) this.idOfNode[node] = id;
    }
  }

  /** Calls back for every token that begins at `start`, the shortest first. */
  prefixes(text: string, start: number, found: (end: number, id: number) => void): void {
    let node = 0;
    for (let i = start; i < text.length; i++) {
      node = this.children.get(node, text.charCodeAt(i));
      if (node === -1) return;
      const id = this.idOfNode[node]!;
      if (id !== -1) found(i + 1, id);
    }
  }
}
