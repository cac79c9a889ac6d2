/** The command `reproduce`, the files it leaves, and the gallery page. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { experiments } from '../../experiments/index.ts';
import { pageSection, updatePage } from '../../experiments/results/page.ts';
import { formatJson, type StoredResult } from '../../experiments/results/result.ts';
import { type CommandResult, interrupted, performers } from '../cli/performers.ts';

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'performers-reproduce-'));
const at = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function reproduce(...args: string[]): CommandResult {
  return performers(directory, 'reproduce', ...args);
}

const fig2 = {
  dHead: 2,
  numDirections: 2,
  draws: 300,
  gridAngles: 3,
  gridLengths: 2,
  maxLength: 1,
  sliceLength: 0.5,
  sliceAngles: 4,
  maxRelativeError: 0.2,
  seed: 2,
};

describe('performers reproduce', () => {
  it('writes the numbers, the SVG and the PNG, and prints the numbers with --json', () => {
    writeFileSync(at('fig2.json'), JSON.stringify(fig2));
    writeFileSync(at('page.md'), 'Before.\n<!-- fig2 -->\nold\n<!-- /fig2 -->\nAfter.\n');
    const args = ['fig2', '--config', at('fig2.json'), '--out', at('out'), '--page', at('page.md'), '--json'];
    const { status, stdout, stderr } = reproduce(...args);
    expect(status, stderr).toBe(0);
    expect(readdirSync(at('out/fig2')).sort()).toEqual(['figure.png', 'figure.svg', 'result.json']);
    const result = JSON.parse(readFileSync(at('out/fig2/result.json'), 'utf8'));
    expect(result).toMatchObject({ experiment: 'fig2', configuration: fig2 });
    expect(result.numbers.slice).toHaveLength(4);
    for (const key of ['command', 'date', 'machine', 'backend']) expect(result[key]).toBeTruthy();
    expect(result.seconds).toBeGreaterThanOrEqual(0);
    expect(JSON.parse(stdout).numbers.slice).toHaveLength(4);
    const png = readFileSync(at('out/fig2/figure.png'));
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    // Twice the size of the SVG.
    const svg = readFileSync(at('out/fig2/figure.svg'), 'utf8');
    expect(png.readUInt32BE(16)).toBe(2 * Number(/width="(\d+)"/.exec(svg)?.[1]));
    expect(readFileSync(at('page.md'), 'utf8')).toMatch(
      /^Before\.\n<!-- fig2 -->\n\n\| angle[\s\S]*<!-- \/fig2 -->\nAfter\.\n$/,
    );
  });

  it('says in one sentence what is wrong', () => {
    const failure = (...args: string[]) => {
      const { status, stdout, stderr } = reproduce(...args);
      expect(status).toBe(1);
      expect(stdout).toBe('');
      const lines = stderr.split('\n').filter((line) => /^(performers|error): /.test(line));
      expect(lines, stderr).toHaveLength(1);
      expect(stderr).not.toContain('    at ');
      return lines[0];
    };
    expect(failure('fig9')).toContain(`choose among ${experiments.map(({ name }) => name).join(', ')}, or all`);
    expect(failure('all', '--config', at('none.json'))).toContain('name it instead of all');
    expect(failure('fig2', '--config', at('none.json'))).toContain('none.json cannot be read');
    writeFileSync(at('key.json'), JSON.stringify({ ...fig2, drews: 3 }));
    expect(failure('fig2', '--config', at('key.json'))).toContain('did you mean "draws"');
    mkdirSync(at('file'));
    writeFileSync(at('file/fig2'), '');
    writeFileSync(at('good.json'), JSON.stringify(fig2));
    expect(failure('fig2', '--config', at('good.json'), '--out', at('file'))).toContain('give --out a directory');
    expect(readdirSync(at('file'))).toEqual(['fig2']);
  });

  it('leaves nothing half-written on Ctrl-C', async () => {
    const { status, stderr } = await interrupted(directory, 'fig2:', 'reproduce', 'fig2', '--out', at('stopped'));
    expect(status, stderr).toBe(130);
    expect(stderr).toContain('Figures that were finished are kept');
    expect(existsSync(at('stopped'))).toBe(false);
  });
});

describe('the gallery page', () => {
  const page = readFileSync(join(root, 'docs/experiments.md'), 'utf8');

  it.each(experiments)('shows the committed numbers of $name', (experiment) => {
    const folder = join(root, 'experiments', experiment.name);
    const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as StoredResult;
    expect(page).toContain(pageSection(experiment, result));
    expect(page).toContain(`experiments/${experiment.name}/figure.png`);
    expect(readFileSync(join(folder, 'figure.svg'), 'utf8')).toBe(
      experiment.draw(result.numbers, result.configuration),
    );
    expect(existsSync(join(folder, 'figure.png'))).toBe(true);
    // The committed numbers are those of the committed settings.
    expect(result.configuration).toEqual(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')));
  });

  it('cannot be updated without a place for the numbers', () => {
    expect(() => updatePage('# Page', experiments[0], {} as StoredResult)).toThrow('write <!-- fig2 -->');
  });

  it('stores what is short on one line', () => {
    const text = '{\n  "list": [\n    { "mean": 0.25, "low": 0.125 },\n    [1, 2]\n  ]\n}';
    expect(formatJson({ list: [{ mean: 0.25, low: 0.125 }, [1, 2]] })).toBe(text);
  });
});
