import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { publicEntries } from '../scripts/entries.mjs';
import { runAsUser } from './support/user-module.ts';

const root = join(import.meta.dirname, '..');

/** The TypeScript examples of a page. */
function examples(page: string): string[] {
  return [...readFileSync(join(root, page), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
}

/** A run of one step at runs/moby-dick/performer. */
function trainTiny(directory: string): void {
  const text = join(directory, 'text.txt');
  writeFileSync(text, 'There she blows! '.repeat(200));
  const model = {
    dModel: 8,
    numLayers: 1,
    numHeads: 1,
    dFeedForward: 8,
    attention: { type: 'favor', numFeatures: 8 },
  };
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ model }));
  const args = ['train', '--data', text, '--out', 'runs/moby-dick/performer', '--steps', '1', '--length', '32'];
  execFileSync(
    process.execPath,
    [join(root, 'dist/cli.js'), ...args, '--config', 'config.json', '--tokenizer', 'bytes'],
    {
      cwd: directory,
      stdio: 'ignore',
    },
  );
}

describe('the examples of the documentation run as they stand', () => {
  const [attention, stream, limited] = examples('README.md');

  it('README: FAVOR+ on three Float32Arrays', () => {
    expect(runAsUser(attention)).toContain('[ 1, 8, 4096, 64 ]');
  });

  it('README: load a model and stream from it', () => {
    const output = runAsUser(stream, trainTiny);
    expect(output.length).toBeGreaterThan(100);
  });

  it('README: a stream with a limit of time', () => {
    expect(runAsUser(limited, trainTiny)).not.toBe('');
  });

  it('docs/inspecting.md: a report for each layer', () => {
    const output = runAsUser(examples('docs/inspecting.md')[0], trainTiny);
    expect(output).toMatch(/^layer 0: 256 features against exact attention/);
    expect(output).toMatch(/features for an output error of 0.2: 16\b/);
  });

  it('docs/feature-maps.md: a map over a projection', () => {
    expect(runAsUser(examples('docs/feature-maps.md')[0])).toContain('[ 1, 2, 512, 64 ]');
  });

  it('docs/inspecting.md: rows and top keys', () => {
    const [top, rows] = runAsUser(examples('docs/inspecting.md')[1]).trim().split('\n');
    expect(top).toBe('[ 3, 0 ]');
    expect(rows).toMatch(/^\[ 1, 1, 2, 4 \] /);
    expect(Number(rows.split('] ')[1])).toBeCloseTo(1, 6);
  });

  it('docs/tokenizers.md: a tokenizer trained, stored and loaded', () => {
    expect(runAsUser(examples('docs/tokenizers.md')[0])).toBe('true  sail about<|endoftext|>\n');
  });

  it('docs/own-models.md: a model of one’s own, and weights to a file and back', () => {
    const [model, file] = examples('docs/own-models.md');
    const losses = runAsUser(model).trim().split('\n').map(Number);
    expect(losses).toHaveLength(4);
    expect(losses[3]).toBeLessThan(losses[0] / 10);
    expect(runAsUser(file)).toBe('true\n');
  });

  it('docs/training.md: training in code', () => {
    const losses = runAsUser(examples('docs/training.md')[0]).trim().split('\n').map(Number);
    expect(losses).toHaveLength(5);
    // A fresh model is about as good as guessing one byte of 256.
    expect(Math.abs(losses[0] - Math.log(256))).toBeLessThan(0.2);
    expect(losses[4]).toBeLessThan(losses[0]);
  });

  it('docs/pretrained.md: a conversion in code', () => {
    const output = runAsUser(examples('docs/pretrained.md')[0], (directory) => {
      mkdirSync(join(directory, 'models'));
      symlinkSync(join(root, 'test/golden/transformers/bert'), join(directory, 'models/bert'));
    });
    const [cosine] = output.split(' ');
    expect(Number(cosine)).toBeGreaterThan(0);
    expect(Number(cosine)).toBeLessThan(1);
  });

  it('docs/export.md: one token after another', () => {
    const output = runAsUser(examples('docs/export.md')[0], (directory) => {
      symlinkSync(join(root, 'node_modules/onnxruntime-web'), join(directory, 'node_modules/onnxruntime-web'));
    });
    expect(output).toBe('13 256\n');
  });

  it('docs/data.md: JSONL in a folder', () => {
    const lines = Array.from({ length: 30 }, (_, i) => JSON.stringify({ title: `t${i}`, body: `text ${i}` }));
    const output = runAsUser(examples('docs/data.md')[0], (directory) => {
      mkdirSync(join(directory, 'data'));
      writeFileSync(join(directory, 'data/a.jsonl'), `${lines.join('\n')}\n{"body": 3}\n`);
    });
    expect(output).toMatch(/^\d+ \d+ \S+a\.jsonl:31: "body" is no text\n$/);
    const [train, heldOut] = output.match(/\d+/g)!.map(Number);
    expect(train + heldOut).toBe(30);
    expect(heldOut).toBeGreaterThan(0);
  });

  it('docs/data-proteins-and-images.md: proteins with organisms held out', () => {
    const records = Array.from({ length: 200 }, (_, i) => `>p${i} OS=Organism ${i % 50} PE=1\nACDEFGHIKL\n`);
    const output = runAsUser(examples('docs/data-proteins-and-images.md')[0], (directory) => {
      writeFileSync(join(directory, 'proteins.fasta.gz'), gzipSync(`${records.join('')}>gap\nA-C\n`));
    });
    const [train, heldOut, outOfDistribution, bad] = output.match(/\d+/g)!.map(Number);
    expect(train + heldOut + outOfDistribution).toBe(200);
    expect(outOfDistribution % 4).toBe(0);
    expect(Math.min(heldOut, outOfDistribution)).toBeGreaterThan(0);
    expect(bad).toBe(1);
  });

  it('docs/data-proteins-and-images.md: ListOps', () => {
    expect(runAsUser(examples('docs/data-proteins-and-images.md')[1]).trim()).toBe('16000 8 8');
  });
});

it('built files that browsers load import nothing of Node', () => {
  const isForBrowsers = (name: string) => !/^(node|internal)$|-node$/.test(name);
  const files = Object.keys(publicEntries)
    .filter(isForBrowsers)
    .map((name) => `${name}.js`);
  const seen = new Set(files);
  for (const file of seen) {
    const code = readFileSync(join(root, 'dist', file), 'utf8');
    for (const [, specifier] of code.matchAll(/^(?:import|export)\b[^;]*?["']([^"']+)["'];$/gm)) {
      expect(specifier, `${file} imports`).not.toMatch(/^node:/);
      if (specifier.startsWith('./')) seen.add(specifier.slice(2));
    }
  }
  expect(seen.size).toBeGreaterThan(files.length);
});
