/** The command line as its users run it: the built `dist/cli.js`, in a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';

export const cli = join(import.meta.dirname, '../../dist/cli.js');

// Continuous integration and terminals colour the output, which would hide the words that tests look for.
const { FORCE_COLOR: _, ...inherited } = process.env;
export const environment = { ...inherited, NO_COLOR: '1', HF_HUB_OFFLINE: '1' };

export interface CommandResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `performers <args>` in the folder `cwd` until it ends. */
export function performers(cwd: string, ...args: string[]): CommandResult {
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', cwd, env: environment });
}

/**
 * Presses Ctrl-C once `performers <args>` has written `awaited` to the standard error, and waits for its end.
 * Throws when it ends without having written that.
 */
export async function interrupted(cwd: string, awaited: string, ...args: string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, [cli, ...args], { cwd, env: environment });
  let stdout = '';
  let stderr = '';
  let pressed = false;
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    if (pressed || !stderr.includes(awaited)) return;
    pressed = true;
    child.kill('SIGINT');
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (!pressed) throw new Error(`performers ${args.join(' ')} never wrote "${awaited}":\n${stderr}`);
  return { status, stdout, stderr };
}

/** The command line in one folder, with what most tests expect of it. */
export function commandsIn(directory: string) {
  const bound = (...args: string[]) => performers(directory, ...args);
  return {
    performers: bound,
    /** Runs a command that must succeed. */
    run(...args: string[]): CommandResult {
      const result = bound(...args);
      expect(result.status, result.stderr).toBe(0);
      return result;
    },
    /** Runs a command that must fail with `message`. */
    fails(message: string, ...args: string[]): void {
      const { status, stderr } = bound(...args);
      expect(status, stderr).toBe(1);
      expect(stderr).toContain(message);
    },
  };
}
