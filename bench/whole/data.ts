/** How fast data is read from files, beside zlib's own speed on the same file, which bounds what is compressed. */
import { createReadStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip, gzipSync } from 'node:zlib';
import { BadRecords, type DataRecord, openText, readFasta, readJsonl, readText } from '../../src/entries/data.ts';
import { type BenchmarkCase, type Measurement, normalNumbers } from '../case.ts';
import { quantile } from '../measure.ts';

const MEGABYTES = 24;
const ROUNDS = 7;
const RESIDUES = 'LLLLLAAAAGGGVVVEEESSSIIIKKKRRRDDDTTTPPPNNNQQQFFFYYMMHHCW';

interface Input {
  readonly label: string;
  readonly path: string;
  /** Bytes, decompressed. */
  readonly size: number;
  readonly records: number;
  read(path: string): Promise<number>;
}

/** Text that compresses like prose: words of a skewed distribution. */
function words(count: number): string[] {
  const letters = 'etaoinshrdlucmfwypvbgk';
  const lengths = normalNumbers(4000, 5);
  const spelled = Array.from(lengths, (x, word) =>
    Array.from(
      { length: 2 + Math.round(Math.abs(3 * x)) },
      (_, i) => letters[(word * 7 + i * i * (word % 13)) % letters.length],
    ).join(''),
  );
  return Array.from(normalNumbers(count, 7), (x) => spelled[Math.min(3999, Math.floor(Math.abs(x) ** 3 * 150))]);
}

function makeInputs(folder: string): Input[] {
  const target = MEGABYTES * 1e6;
  const vocabulary = words(200_000);
  const paragraph = (n: number) =>
    Array.from({ length: 80 }, (_, i) => vocabulary[(n * 80 + i) % vocabulary.length]).join(' ');
  const gather = (record: (n: number) => string) => {
    const parts: string[] = [];
    for (let length = 0; length < target; length += parts.at(-1)?.length ?? 0) parts.push(record(parts.length));
    return { data: Buffer.from(parts.join('')), records: parts.length };
  };
  const places = normalNumbers(1 << 18, 9);
  const residues = Array.from(places, (x) => RESIDUES[Math.floor(Math.abs(x) * 1e4) % RESIDUES.length]).join('');
  const protein = (n: number) => {
    const start = (n * 7919) % (residues.length - 400);
    const lines = residues.slice(start, start + 345).match(/.{1,60}/g) ?? [];
    return `>tr|A${n}|A${n}_9BACT Putative protein ${n} OS=Bacterium ${n % 997} OX=${n % 997} PE=4 SV=1\n${lines.join('\n')}\n`;
  };
  const text = gather((n) => `${paragraph(n)}\n`);
  const jsonl = gather((n) => `${JSON.stringify({ text: paragraph(n), id: n })}\n`);
  const fasta = gather(protein);
  const input = (
    name: string,
    { data, records }: { data: Buffer; records: number },
    read: (path: string) => Promise<number>,
  ): Input => {
    const path = join(folder, name);
    writeFileSync(path, name.endsWith('.gz') ? gzipSync(data) : data);
    return { label: name, path, size: data.length, records, read };
  };
  const lines = (path: string) => count(readText(path, new BadRecords(), { documents: 'line' }));
  return [
    input('documents.txt', text, characters),
    input('documents.txt.gz', text, characters),
    input('lines.txt', text, lines),
    input('lines.txt.gz', text, lines),
    input('records.jsonl.gz', jsonl, (path) => count(readJsonl(path, new BadRecords()))),
    input('proteins.fasta.gz', fasta, (path) => count(readFasta(path, new BadRecords()))),
  ];
}

async function count(records: AsyncIterable<DataRecord>): Promise<number> {
  let number = 0;
  for await (const _ of records) number++;
  return number;
}

/** Reads a file as one document; the number of its line ends. */
async function characters(path: string): Promise<number> {
  let ends = 0;
  for await (const chunk of openText(path)) {
    for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', at + 1)) ends++;
  }
  return ends;
}

/** What any reader of the file must at least do. */
async function floor(path: string): Promise<void> {
  const source = createReadStream(path, { highWaterMark: 1 << 18 });
  const stream = path.endsWith('.gz') ? source.pipe(createGunzip({ chunkSize: 1 << 18 })) : source;
  for await (const _ of stream);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function speeds(inputs: readonly Input[]): Promise<Measurement[]> {
  const samples = inputs.map(() => ({ read: [] as number[], floor: [] as number[] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { path, read }] of inputs.entries()) {
      samples[i].floor.push(await seconds(() => floor(path)));
      samples[i].read.push(await seconds(() => read(path)));
    }
  }
  return inputs.flatMap(({ label, path, size }, i): Measurement[] => {
    const megabytes = size / 1e6;
    const median = (times: number[]) => quantile(times, 0.5);
    const limit = label.endsWith('.gz') ? 'zlib alone' : 'bytes alone';
    const ratio = (size / statSync(path).size).toFixed(1);
    return [
      {
        label: `${label} (compressed ${ratio} times), wanted: 100 or the limit`,
        value: megabytes / median(samples[i].read),
        unit: 'MB/s',
      },
      { label: `${label}, ${limit}`, value: megabytes / median(samples[i].floor), unit: 'MB/s' },
    ];
  });
}

export const data: BenchmarkCase = {
  name: 'data',
  description: `reading files of ${MEGABYTES} MB (decompressed bytes a second), medians of ${ROUNDS} rounds, beside the bytes alone of the same file`,

  async check() {
    return withInputs(async (inputs) => {
      for (const { label, path, records, read } of inputs) {
        const found = await read(path);
        if (found !== records)
          throw new Error(`${label}: ${found} records where ${records} were written: run \`npm test\`.`);
      }
      return [];
    });
  },

  async prepare() {
    return { subjects: [], summarise: () => withInputs(speeds), release: () => {} };
  },
};

async function withInputs<T>(work: (inputs: Input[]) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-data-'));
  try {
    return await work(makeInputs(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
