/** Commands run in this process, as the program itself parses them, with all that they print and the backends they make. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { createProgram } from '../../../cli/program.ts';
import { press, release } from './interruption.ts';

export const folder = mkdtempSync(join(tmpdir(), 'performers-options-'));
export const at = (...names: string[]): string => join(folder, ...names);
export const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });

/** What a command did. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  /** The message of what it threw. */
  readonly error: string | undefined;
  readonly exitCode: number | undefined;
}

/**
 * Runs one command.
 *
 * @param onOutput is told all that was printed so far, and what sends the process a signal
 */
export async function runCommand(
  args: readonly string[],
  onOutput: (printed: string, interrupt: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ran> {
  const printed = { stdout: '', stderr: '' };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = signals.map((signal) => new Set(process.listeners(signal)));
  const added = (signal: NodeJS.Signals) => {
    const known = before[signals.indexOf(signal as (typeof signals)[number])];
    return process.listeners(signal).filter((listener) => !known.has(listener));
  };
  release();
  const interrupt = (signal: NodeJS.Signals) => {
    press();
    for (const listener of added(signal)) (listener as (signal: NodeJS.Signals) => void)(signal);
  };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      printed[name] += String(chunk);
      onOutput(printed.stdout + printed.stderr, interrupt);
      return true;
    }),
  );
  const { exitCode } = process;
  process.exitCode = undefined;
  let error: string | undefined;
  try {
    const program = createProgram();
    for (const command of [program, ...program.commands]) command.exitOverride();
    await program.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    error = (thrown as Error).message;
  } finally {
    for (const spy of spies) spy.mockRestore();
    for (const signal of signals) for (const listener of added(signal)) process.removeListener(signal, listener);
  }
  const ran = { ...printed, error, exitCode: process.exitCode as number | undefined };
  process.exitCode = exitCode;
  return ran;
}

let count = 0;
/** A path that nothing has been written to. */
export const newPath = (): string => at(`out-${count++}`);

export const readJson = (...path: string[]) => {
  const file = join(...path);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
};

/** All files below a directory, sorted; none of what is not there. */
export const filesBelow = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory, { recursive: true }).map(String).sort() : [];
