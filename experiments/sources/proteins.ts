import { access } from 'node:fs/promises';
import { BadRecords, fromTexts, GroupSplit, readFasta, type TokenSplit } from '../../src/entries/data.ts';
import { partOfGroup } from '../../src/entries/internal.ts';
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
  const parts = { train: [] as string[], test: [] as string[], outOfDistribution: [] as string[] };
  for await (const record of readFasta(path, bad)) {
    if (organisms.partOf(record) === 'heldOut') parts.outOfDistribution.push(record.text);
    else {
      const rule = { by: 'group', fraction: split.records, seed: split.seed } as const;
      parts[partOfGroup(record.id ?? record.text, rule) === 'heldOut' ? 'test' : 'train'].push(record.text);
    }
  }
  if (bad.count > 0) throw new Error(`${path} has records that cannot be used; mend them first:\n${bad.describe()}`);
  organisms.check();
  const tokenizer = new ProteinTokenizer();
  const tokenise = async (texts: readonly string[]) => (await fromTexts(texts, tokenizer, { by: 'none' })).train;
  return {
    tokenizer,
    train: await tokenise(parts.train),
    test: await tokenise(parts.test),
    outOfDistribution: await tokenise(parts.outOfDistribution),
    records: {
      train: parts.train.length,
      test: parts.test.length,
      outOfDistribution: parts.outOfDistribution.length,
    },
  };
}
