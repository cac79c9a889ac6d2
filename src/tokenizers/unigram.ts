import { checkArguments, option } from '../base/options.ts';
import type { AddedToken } from './added-tokens.ts';
import { addedTokensKind } from './added-tokens.ts';
import { ByteLevelTokenizer } from './byte-level/byte-level.ts';
import type { UnigramModelJson } from './tokenizer.ts';
import { PairMap } from './training/pair-map.ts';

interface ScoredToken {
  readonly bytes: Uint8Array;
  /** Log-probability. */
  readonly score: number;
}

interface UnigramParts {
  /** By id; every byte is among them. */
  readonly tokens: readonly ScoredToken[];
  /** Their ids follow, or are those of tokens that bear their text. */
  readonly added: readonly AddedToken[];
}

/**
 * A unigram language model of subwords (Kudo 2018): each pre-token is written in the likeliest way, the sum of the
 * log-probabilities being largest. Its alphabet is bytes, so nothing is unknown. Make one with `trainUnigram` or
 * `loadTokenizer`.
 */
export class UnigramTokenizer extends ByteLevelTokenizer<UnigramModelJson> {
  private readonly scores: Float64Array;
  /** A trie: the node that a byte leads to from a node; 0 is the root. */
  private readonly nodes = new PairMap();
  /** Token that ends at each node, −1 for no token. */
  private readonly tokenAt: number[] = [-1];

  constructor(parts: UnigramParts) {
    checkArguments(
      'UnigramTokenizer',
      { parts },
      {
        parts: option.having('tokens and added', {
          tokens: option.listOf(option.having('a token', { bytes: option.bytes, score: option.number })),
          added: addedTokensKind,
        }),
      },
    );
    const { tokens, added } = parts;
    const encoder = new TextEncoder();
    const bytes = tokens.map((token) => token.bytes);
    for (const { id, content } of added) bytes[id] = encoder.encode(content);
    super(bytes, added);
    this.scores = Float64Array.from(tokens, ({ score }) => score);
    const isAdded = new Set(added.map(({ id }) => id));
    tokens.forEach((token, id) => {
      if (!isAdded.has(id)) this.insert(token.bytes, id);
    });
  }

  /**
   * The way whose last token is longest wins among equally likely ways, and so on to the front, as in other libraries.
   */
  protected override encodeBytes(bytes: Uint8Array): Int32Array {
    const { scores, nodes, tokenAt } = this;
    const best = new Float64Array(bytes.length + 1).fill(-Infinity);
    const last = new Int32Array(bytes.length + 1);
    best[0] = 0;
    for (let start = 0; start < bytes.length; start++) {
      let node = 0;
      for (let end = start; end < bytes.length; end++) {
        node = nodes.get(node, bytes[end]!);
        if (node === -1) break;
        const token = tokenAt[node]!;
        if (token === -1) continue;
        const score = best[start]! + scores[token]!;
        if (score > best[end + 1]!) {
          best[end + 1] = score;
          last[end + 1] = token;
        }
      }
    }
    let count = 0;
    const reversed = new Int32Array(bytes.length);
    for (let end = bytes.length; end > 0; end -= this.tokens[last[end]!]!.length) reversed[count++] = last[end]!;
    return reversed.slice(0, count).reverse();
  }

  protected override modelToJson(names: readonly string[]): UnigramModelJson {
    const contents = new Map(this.added.map(({ id, content }) => [id, content]));
    const vocab = Array.from(this.scores, (score, id): [string, number] => [contents.get(id) ?? names[id]!, score]);
    return { type: 'Unigram', unk_id: null, byte_fallback: false, vocab };
  }

  private insert(bytes: Uint8Array, id: number): void {
    let node = 0;
    for (const byte of bytes) {
      let next = this.nodes.get(node, byte);
      if (next === -1) {
        next = this.tokenAt.length;
        this.tokenAt.push(-1);
        this.nodes.set(node, byte, next);
      }
      node = next;
    }
    this.tokenAt[node] = id;
  }
}
