/** Starts test/training/child.ts as a process of its own, bundled so that plain Node runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Rolldown } from 'tsdown';
import type { ChildOptions } from './child.ts';

// As deep as src/backend/native/, from where the kernels are looked for.
const bundle = fileURLToPath(new URL('../../build/test/training/child.mjs', import.meta.url));

export async function bundleChild(): Promise<void> {
  const temporary = `${bundle}.${process.pid}.mjs`;
  await Rolldown.build({
    input: fileURLToPath(new URL('./child.ts', import.meta.url)),
    platform: 'node',
    external: /^[a-z@]/,
    output: { file: temporary, codeSplitting: false },
  });
  renameSync(temporary, bundle); // test files run side by side
}

export interface Child {
  readonly process: ChildProcess;
  /** Resolves when the child prints its first line, or ends. */
  readonly started: Promise<void>;
  readonly ended: Promise<{ code: number | null; signal: string | null; output: string; errors: string }>;
}

export function startChild(options: ChildOptions, nodeFlags: string[] = []): Child {
  const child = spawn(process.execPath, [...nodeFlags, bundle, JSON.stringify(options)]);
  let output = '';
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const started = new Promise<void>((resolve) => {
    child.stdout.on('data', (data) => {
      output += data;
      resolve();
    });
    child.on('close', () => resolve());
  });
  const ended = new Promise<Awaited<Child['ended']>>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
  return { process: child, started, ended };
}
