/** What `--help`, `--version` and an installed command line say. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helpOf } from '../../cli/help.ts';
import { createProgram } from '../../cli/program.ts';
import { cli, environment } from './performers.ts';

const root = join(import.meta.dirname, '../..');

function run(...args: string[]): string {
  const { stdout, status } = spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    env: environment,
  });
  expect(status).toBe(0);
  return stdout;
}

describe('help', () => {
  const commands = createProgram().commands.map((command) => ({ name: command.name(), command }));

  it.each(commands)('$name: the example is one that the command takes, and the guide exists', ({ name, command }) => {
    const { example, guide } = helpOf[name];
    expect(existsSync(join(root, `docs/${guide}.md`))).toBe(true);
    const [first, ...words] = example.match(/"[^"]*"|\S+/g) ?? [];
    expect(first).toBe(name);
    const { operands, unknown } = command.parseOptions(words);
    expect(unknown).toEqual([]);
    expect(operands.length).toBeLessThanOrEqual(command.registeredArguments.length);
    for (const option of command.options.filter(({ mandatory }) => mandatory)) {
      expect(command.getOptionValue(option.attributeName()), option.long).toBeDefined();
    }
  });

  it('ends with the example as it is called here, and the guide', () => {
    expect(run('train', '--help')).toMatch(
      /\n\nExample:\n {2}npm run -s performers -- train --data .*\nGuide:\n {2}docs\/training\.md\n$/,
    );
  });
});

it('--version prints that of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(run('--version')).toBe(`performers ${version}\n`);
});
