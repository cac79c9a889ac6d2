import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compiledBackends } from './available.ts';

const child = fileURLToPath(new URL('fuzz-calls.mjs', import.meta.url));
/** PERFORMERS_FUZZ_SECONDS=300 looks longer, PERFORMERS_FUZZ_SEED continues elsewhere. */
const seconds = process.env.PERFORMERS_FUZZ_SECONDS ?? '0';
const seed = process.env.PERFORMERS_FUZZ_SEED ?? '1';

test.each([...compiledBackends, 'reference'])(
  '%s: wrong arguments of any kind give an error with a class, and no neighbour changes',
  { timeout: 120_000 + 1500 * Number(seconds) },
  (backend) => {
    const run = spawnSync(process.execPath, [child, backend, seconds, seed], { encoding: 'utf8' });
    expect(`signal ${run.signal}, status ${run.status}, seed ${seed}\n${run.stderr}`).toBe(
      `signal null, status 0, seed ${seed}\n`,
    );
    expect(JSON.parse(run.stdout).calls).toBeGreaterThanOrEqual(3000);
  },
);
