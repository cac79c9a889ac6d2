import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { expect } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Runs TypeScript as a user's module that has the built package installed, in a folder of its own. @returns what the code prints */
export function runAsUser(code: string, prepare: (directory: string) => void = () => {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'performers-user-'));
  try {
    mkdirSync(join(directory, 'node_modules'));
    symlinkSync(root, join(directory, 'node_modules/performers'));
    prepare(directory);
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
    writeFileSync(join(directory, 'example.mjs'), ts.transpileModule(code, { compilerOptions }).outputText);
    const { status, stdout, stderr } = spawnSync(process.execPath, ['example.mjs'], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    return stdout;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
