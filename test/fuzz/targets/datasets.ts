/** Files of data as the door to them reads them, every document to its end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Random } from '../../../src/base/random.ts';
import { readZipEntry, zipEntries } from '../../../src/data/formats/images/zip.ts';
import { type DatasetOptions, openDataset } from '../../../src/entries/data.ts';
import { npy, zip } from '../../data/formats/images/zip-writer.ts';
import { parquetFile } from '../../data/formats/parquet/parquet-writer.ts';
import { bytes, type Files } from '../files.ts';
import { mutateBytes, mutateLines } from '../mutate-bytes.ts';
import type { Target } from '../target.ts';

/** Reads a data set of one file, whose name says the compression. */
function dataset(
  name: string,
  configuration: object,
  seeds: () => readonly Files[] | Promise<readonly Files[]>,
  mutate: (random: Random, whole: Uint8Array, other?: Uint8Array) => Uint8Array,
): Target {
  return {
    name,
    seeds: async () => seeds(),
    mutate(random, seed, other) {
      const [[file, whole]] = Object.entries(seed) as [[string, Uint8Array]];
      return { [file]: mutate(random, whole, Object.values(other)[0]) };
    },
    start: async (folder) => async (files) => {
      const data = Object.keys(files).map((file) => join(folder, file));
      const opened = await openDataset({ ...configuration, data } as DatasetOptions);
      for await (const document of opened.documents()) {
        for await (const _ of document.read());
      }
    },
  };
}

const golden = (...paths: string[]) => paths.map((path) => readFileSync(`test/golden/${path}`));
const named = (file: string, contents: readonly (Uint8Array | string)[]): Files[] =>
  contents.map((content) => ({ [file]: typeof content === 'string' ? bytes(content) : content }));

const fastaText =
  '>sp|P69905|HBA_HUMAN Hemoglobin OS=Homo sapiens OX=9606 GN=HBA1 PE=1 SV=2\nMVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHF\nDLSHGSAQVKG\n' +
  '>tr|A0A000|A0A000_9ACTN Other OS=Streptomyces\nMNTEQRKK\n>third\n\nACDEFGHIKLMNPQRSTVWY*\n';

const uniprotText = [1, 2]
  .flatMap((number) => [
    `ID   SOME_THING${number}              Unreviewed;       12 AA.`,
    `AC   P0000${number}; Q99999;`,
    'DT   01-JAN-1998, integrated into UniProtKB/TrEMBL.',
    'DE   RecName: Full=Some protein {ECO:0000255};',
    'OS   Homo sapiens (Human).',
    'OC   Eukaryota; Metazoa.',
    'DR   Pfam; PF00001; Name; 1.',
    'SQ   SEQUENCE   12 AA;  49500 MW;  7CA7DE79E73EEE26 CRC64;',
    '     ACDEFGHIKL MN',
    '//',
  ])
  .join('\n');

const jsonlText = ['a text', 'another, naïve 漢字', 'third "quoted"']
  .map((text, id) => JSON.stringify({ id, text, meta: { source: 'here', scores: [0.5, null] } }))
  .join('\n');

const page = (title: string, text: string) =>
  `<page><title>${title}</title><ns>0</ns><id>1</id><revision><id>2</id><model>wikitext</model><text xml:space="preserve">${text}</text></revision></page>`;
const wikipediaText =
  `<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11">\n<siteinfo><sitename>W</sitename></siteinfo>\n` +
  `${page('One', "'''One''' is a [[number|numeral]] &amp; {{cite|a={{b|c}}}}.\n== Head ==\n* item&lt;ref&gt;r&lt;/ref&gt;\n{| class=x\n| cell\n|}\n")}\n` +
  `${page('Two', '#REDIRECT [[One]]')}\n${page('Three', 'Text [[File:a.jpg|thumb|of [[a]] b]] &lt;math&gt;x&lt;/math&gt; end.')}\n</mediawiki>\n`;

const tableText = 'text\tlabel\nfine film\t1\n"two\nlines"\t0\nbad "film"\t0\n';

/** 400 lines of JSON by `bzip2` and by `zstd`. */
const COMPRESSED = ['lines.jsonl.bz2', 'lines.jsonl.zst'];

const archives = (): Promise<Uint8Array[]> => {
  const image = Uint8Array.from({ length: 96 }, (_, i) => i);
  const part = { name: 'data.npy', data: npy([2, 48], image) };
  return Promise.all([
    zip([part]),
    zip([
      { ...part, isDeflated: true },
      { name: 'labels.npy', data: npy([2], Uint8Array.of(1, 2)) },
    ]),
    zip([{ ...part, isLarge: true, isDeflated: true }], { isLarge: true, comment: 'why' }),
    zip([{ ...part, hasDescriptor: true, isDeflated: true }]),
    zip([{ name: 'data.npy', data: npy([2, 3, 4, 4], image, 2) }]),
  ]);
};

export const parquet = dataset(
  'parquet',
  { format: 'parquet', text: 'text' },
  () =>
    named('data.parquet', [
      parquetFile('text', ['one', 'two', 'naïve 漢字', 'four'], 2),
      ...golden(...['gzip', 'lz4', 'page-v2', 'snappy', 'zstd', 'no-rows'].map((name) => `parquet/${name}.parquet`)),
    ]),
  mutateBytes,
);

export const npz = dataset(
  'npz',
  { format: 'images', size: 4 },
  async () =>
    named('images.npz', [...(await archives()), ...golden('images/compressed.npz', 'images/stored.npz').slice(2)]),
  mutateBytes,
);

export const fasta = dataset('fasta', { format: 'fasta' }, () => named('p.fasta', [fastaText]), mutateLines);
export const uniprot = dataset('uniprot', { format: 'uniprot' }, () => named('p.dat', [uniprotText]), mutateLines);
export const jsonl = dataset('jsonl', { format: 'jsonl' }, () => named('d.jsonl', [jsonlText]), mutateLines);
export const table = dataset('table', { format: 'labelled' }, () => named('d.tsv', [tableText]), mutateLines);
export const wikipedia = dataset(
  'wikipedia',
  { format: 'wikipedia' },
  () => named('w.xml', [wikipediaText]),
  mutateLines,
);

export const compressed = dataset(
  'compressed',
  { format: 'jsonl' },
  () => [
    ...named('d.jsonl.gz', [gzipSync(jsonlText), gzipSync(jsonlText.repeat(400))]),
    ...COMPRESSED.map((name) => ({ [name]: readFileSync(`test/fuzz/seeds/${name}`) })),
  ],
  mutateBytes,
);

/** The archive format under .npz: every entry, to its end. */
export const zipArchive: Target = {
  name: 'zip',
  seeds: async () => named('archive.zip', await archives()),
  mutate: (random, seed, other) => ({
    'archive.zip': mutateBytes(random, seed['archive.zip']!, other['archive.zip']),
  }),
  start: async (folder) => async () => {
    const path = join(folder, 'archive.zip');
    for (const entry of await zipEntries(path)) {
      for await (const _ of readZipEntry(path, entry));
    }
  },
};
