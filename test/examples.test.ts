/** The programs of examples/ as a user runs them, with the built package; their types are checked with the rest of the project. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { runAsUser } from './support/user-module.ts';

const folder = join(import.meta.dirname, '../examples');

/** What a program prints, by lines. */
function run(name: string): string[] {
  const output = runAsUser(readFileSync(join(folder, name), 'utf8'), (directory) => {
    cpSync(join(folder, 'data'), join(directory, 'data'), { recursive: true });
  });
  return output.trim().split('\n');
}

/** The numbers that follow `label` in lines. */
const numbersAfter = (lines: string[], label: string) =>
  lines.flatMap((line) =>
    [...line.matchAll(new RegExp(`${label} (-?[\\d.]+)`, 'g'))].map(([, number]) => Number(number)),
  );

describe('examples', () => {
  it('attention.ts: more features, less error', () => {
    const errors = numbersAfter(run('attention.ts'), 'error');
    expect(errors).toHaveLength(3);
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    expect(errors[2]).toBeLessThan(0.2);
  });

  it('train-text.ts: the loss falls, and the model writes', () => {
    const lines = run('train-text.ts');
    const losses = numbersAfter(lines, 'loss');
    expect(losses[0]).toBeGreaterThan(5);
    expect(losses.at(-1)).toBeLessThan(1);
    expect(lines.at(-1)).toMatch(/^Humpty \S/);
  });

  it('classify-csv.ts: tells the classes of the table', () => {
    const lines = run('classify-csv.ts');
    expect(lines[0]).toBe('18 texts, 0 lines that cannot be read');
    expect(numbersAfter(lines, 'right on')[0]).toBeGreaterThanOrEqual(17);
    expect(lines[2]).toMatch(/^"A wonderful, funny film with a lovely ending": good/);
  });

  it('embed-sentences.ts: like sentences have like vectors', () => {
    const [cats, ...others] = run('embed-sentences.ts').map((line) => Number.parseFloat(line));
    expect(others).toHaveLength(2);
    expect(cats).toBeGreaterThan(Math.max(...others));
  });

  it('stream-in-worker.ts: text comes in pieces while the main thread is free', () => {
    const [line] = run('stream-in-worker.ts');
    expect(line).toMatch(/^\d+ pieces, \d+ characters; the main thread was free meanwhile$/);
    expect(numbersAfter([line], ',')[0]).toBeGreaterThanOrEqual(100);
  });

  it('own-model.ts: learns to add the marked numbers', () => {
    const errors = numbersAfter(run('own-model.ts'), 'squared error');
    expect(errors[0]).toBeGreaterThan(0.1);
    expect(errors.at(-1)).toBeLessThan(0.01);
  });

  it('look-inside.ts: says where the last token looks', () => {
    const lines = run('look-inside.ts');
    expect(
      lines.filter((line) => /^layer \d, head \d: the last token looks at ".*" at \d+ \(0\.\d+\)/.test(line)),
    ).toHaveLength(4);
    expect(numbersAfter(lines, 'output error').every((error) => error > 0 && error < 1)).toBe(true);
  });
});

test('every example has a test, a beginning that says what it shows, and a link in the guide', () => {
  const programs = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const own = readFileSync(import.meta.filename, 'utf8');
  const guide = readFileSync(join(folder, '../docs/own-models.md'), 'utf8');
  for (const name of programs) {
    expect(own).toContain(`'${name}'`);
    expect(guide).toContain(`(../examples/${name})`);
    const head = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, 3);
    expect(head.every((line) => line.startsWith('// '))).toBe(true);
  }
});

test('own-model.ts: model, loss and training take 30 lines', () => {
  const code = readFileSync(join(folder, 'own-model.ts'), 'utf8');
  const body = code.slice(code.indexOf('class '), code.indexOf('backend.close()'));
  const lines = body.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('/**'));
  expect(lines.length).toBeLessThanOrEqual(30);
});
