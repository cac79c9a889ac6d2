import { type Case, normals } from '../../case.ts';

function casesOf(count: number, vocabSize: number, width: number): Case[] {
  const inputs: Case['inputs'] = (random) => ({
    table: normals(random, vocabSize * width),
    ids: Int32Array.from({ length: count }, () => random.integer(vocabSize)),
    dOut: normals(random, count * width),
  });
  const label = `${count} of ${vocabSize}×${width}`;
  return [
    {
      ...{ name: label, bound: 0, because: 'no arithmetic', inputs },
      outputs: () => ({ out: count * width }),
      call: (backend, { table, ids, out }) => backend.embedding({ table, ids, out, count, width }),
    },
    {
      ...{ name: `backward ${label}`, bound: 2e-6, because: 'float32 sums over repeated ids', inputs },
      outputs: (random) => ({ dTable: normals(random, vocabSize * width) }),
      call: (backend, { ids, dOut, dTable }) => backend.embeddingBackward({ ids, dOut, dTable, count, width }),
    },
  ];
}

export const embeddingCases: Case[] = [
  ...casesOf(1, 1, 1),
  ...casesOf(13, 7, 5),
  ...casesOf(257, 31, 67),
  ...casesOf(509, 11, 1031),
  ...casesOf(0, 7, 5),
];
