import { access } from 'node:fs/promises';
import {
  BadRecords,
  fromTexts,
  GroupSplit,
  type MarkedText,
  readFasta,
  type TokenSplit,
} from '../../src/entries/data.ts';
import { partOfGroup, tokensFingerprint } from '../../src/entries/internal.ts';
import { ProteinTokenizer } from '../../src/entries/tokenizers.ts';

/** How proteins are divided. */
export interface ProteinSplit {
  /** Share of the organisms that are held out whole: the data out of the distribution. */
  readonly organisms: number;
  /** Share of the other records that are held out: the test. */
  readonly records: number;
  readonly seed: number;
}

/** Residues with a separator after each sequence. */
export interface Proteins {
  readonly tokenizer: ProteinTokenizer;
  readonly train: TokenSplit;
  /** Of the tokens that are trained on. */
  readonly fingerprint: string;
  readonly test: TokenSplit;
  readonly outOfDistribution: TokenSplit;
  /** Records of each part, for reports. */
  readonly records: { readonly train: number; readonly test: number; readonly outOfDistribution: number };
}

/** @throws one sentence when there is no such file, or a record of it cannot be used. */
export async function readProteins(path: string, split: ProteinSplit): Promise<Proteins> {
  await access(path).catch(() => {
    throw new Error(
      `${path} does not exist: name a FASTA file of proteins as "data" in a settings file and give that with --config.`,
    );
  });
  const bad = new BadRecords();
  const organisms = new GroupSplit({ by: 'group', fraction: split.organisms, seed: split.seed });
  const texts: MarkedText[] = [];
  for await (const record of readFasta(path, bad)) {
    const { text, id = text } = record;
    const rule = { by: 'group', fraction: split.records, seed: split.seed } as const;
    const inDistribution = partOfGroup(id, rule) === 'heldOut' ? 'test' : 'train';
    texts.push({ text, part: organisms.partOf(record) === 'heldOut' ? 'outOfDistribution' : inDistribution });
  }
  if (bad.count > 0) throw new Error(`${path} has records that cannot be used; fix them first:\n${bad.describe()}`);
  organisms.check();
  const tokenizer = new ProteinTokenizer();
  const { train, test, outOfDistribution } = await fromTexts(texts, tokenizer, { by: 'given' });
  return {
    tokenizer,
    train,
    fingerprint: await tokensFingerprint(train, tokenizer.vocabSize),
    test,
    outOfDistribution,
    records: {
      train: train.documents.length,
      test: test.documents.length,
      outOfDistribution: outOfDistribution.documents.length,
    },
  };
}
