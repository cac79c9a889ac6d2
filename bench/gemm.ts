import type { Backend } from '../src/entries/performers.ts';
import { type BenchmarkCase, type Check, compare, normalNumbers, type Subjects } from './case.ts';
import { productFlops } from './flops.ts';
import type { Subject } from './measure.ts';
import { productTask } from './peers/tasks.ts';

const sizes = [
  { m: 1024, n: 1024, k: 1024, what: 'square' },
  { m: 2048, n: 2048, k: 512, what: 'feed-forward' },
  { m: 1, n: 2048, k: 512, what: 'one token' },
];

const labelOf = ({ m, n, k, what }: (typeof sizes)[number]) => `${m}×${k} · ${k}×${n}, ${what}`;

const flags = [
  { transposeA: false, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: false },
];

export const gemm: BenchmarkCase = {
  name: 'gemm',
  description: 'C = A B, packing of B included; 2·m·n·k flops',
  on: ['native', 'wasm'],

  async check(backend, reference) {
    const checks: Check[] = [];
    const [m, n, k] = [131, 67, 113];
    for (const flag of flags) {
      const run = async (on: Backend): Promise<ArrayLike<number>> => {
        const [a, b, c] = [on.upload(normalNumbers(m * k, 1)), on.upload(normalNumbers(n * k, 2)), on.allocate(m * n)];
        on.gemm({ a, b, c, m, n, k, ...flag });
        const values = await on.read(c);
        for (const storage of [a, b, c]) on.release(storage);
        return values;
      };
      const what = `gemm${flag.transposeA ? ', Aᵀ' : ''}${flag.transposeB ? ', Bᵀ' : ''}`;
      checks.push(compare(what, await run(backend), await run(reference), 1e-5));
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const storages = sizes.map(({ m, n, k }) => ({
      a: backend.upload(normalNumbers(m * k, 1)),
      b: backend.upload(normalNumbers(n * k, 2)),
      c: backend.allocate(m * n),
    }));
    const subjects: Subject[] = sizes.map((size, i) => ({
      label: labelOf(size),
      flops: productFlops(size.m, size.n, size.k),
      run: () => backend.gemm({ ...storages[i], m: size.m, n: size.n, k: size.k }),
    }));
    return {
      subjects,
      release: () => {
        for (const { a, b, c } of storages) for (const storage of [a, b, c]) backend.release(storage);
      },
    };
  },

  peerTasks: () => sizes.map((size) => productTask(size.what, labelOf(size), [size.m, size.n, size.k])),
};
