import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '../../src/entries/performers.ts';
import type { Outcome } from '../experiment.ts';
import { toPng } from './figure.ts';

/** `result.json` of a figure. */
export interface StoredResult {
  readonly experiment: string;
  readonly command: string;
  readonly date: string;
  readonly machine: string;
  readonly backend: string;
  readonly seconds: number;
  readonly configuration: unknown;
  readonly numbers: unknown;
}

export function describeMachine(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors[0]?.model ?? 'unknown processor'}, ${processors.length} threads, ${memory} GiB, Node ${process.versions.node}`;
}

export function storedResult(
  experiment: string,
  outcome: Outcome,
  run: { readonly backend: Backend; readonly command: string; readonly seconds: number },
): StoredResult {
  return {
    experiment,
    command: run.command,
    date: new Date().toISOString(),
    machine: describeMachine(),
    backend: run.backend.description,
    seconds: Math.round(run.seconds * 10) / 10,
    configuration: outcome.configuration,
    numbers: asStored(outcome.numbers),
  };
}

/**
 * Writes figure.svg, figure.png and result.json into `directory`, each whole or not at all, result.json last.
 *
 * @throws one sentence when the directory cannot be written.
 */
export async function writeResult(directory: string, svg: string, result: StoredResult): Promise<void> {
  const files: [name: string, data: string | Uint8Array][] = [
    ['figure.svg', svg],
    ['figure.png', await toPng(svg)],
    ['result.json', `${formatJson(result)}\n`],
  ];
  const unique = `.temporary-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(directory, { recursive: true });
    for (const [name, data] of files) await writeFile(join(directory, `${name}${unique}`), data);
    for (const [name] of files) await rename(join(directory, `${name}${unique}`), join(directory, name));
  } catch (error) {
    for (const [name] of files) await rm(join(directory, `${name}${unique}`), { force: true }).catch(() => {});
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new Error(`Cannot write to ${directory} (${why}): give --out a directory that can be written.`, {
      cause: error,
    });
  }
}

/** As it comes back from JSON: numbers cut to six digits, null for what is not finite. */
function asStored(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, entry) =>
    typeof entry === 'number' ? Number(entry.toPrecision(6)) : entry,
  );
}

/** Indented JSON, with what is short on one line. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/([[{])\n\s*([^[\]{}]*?)\n\s*([\]}])/g, (whole, open, inner, close) => {
    const space = open === '{' ? ' ' : '';
    const line = `${open}${space}${inner.replace(/\n\s*/g, ' ')}${space}${close}`;
    return line.length <= 110 ? line : whole;
  });
}
