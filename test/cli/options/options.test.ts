/**
 * Every option of every command, from the program's own list. For each option, the command runs with and without it. A
 * check of what came of the run must pass with the option. The check must fail without, as for a command that ignores
 * the option. An option without a case here fails.
 */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { commandModes, refusedBy } from '../../../cli/command.ts';
import { createProgram } from '../../../cli/program.ts';
import type * as Library from '../../../src/entries/performers.ts';
import type * as Pretrained from '../../../src/entries/pretrained.ts';
import { type CommandCases, type OptionCase, replaced, type Seen } from './case.ts';
import { at, filesBelow, folder, newPath, readJson, removeFolder, runCommand } from './in-process.ts';
import {
  convertCases,
  demoCases,
  evaluateCases,
  exportCases,
  generateCases,
  infoCases,
  reproduceCases,
  writeModelFixtures,
} from './model-cases.ts';
import { serveCases } from './serve-cases.ts';
import { finetuneCases, hashOf, trainCases, writeTrainingFixtures } from './training-cases.ts';

/** What the commands called in the library. */
const calls = vi.hoisted(() => ({
  backends: [] as string[],
  balanced: [] as unknown[],
  measured: [] as unknown[],
}));
vi.mock('../../../src/entries/performers.ts', async (original) => {
  const library = await original<typeof Library>();
  const createBackend: typeof library.createBackend = async (options) => {
    const backend = await library.createBackend(options);
    calls.backends.push(backend.description);
    return backend;
  };
  return { ...library, createBackend };
});
vi.mock('../../../src/entries/pretrained.ts', async (original) => {
  const library = await original<typeof Pretrained>();
  const balanceAttention: typeof library.balanceAttention = (model, batches) => {
    calls.balanced.push(...batches);
    return library.balanceAttention(model, batches);
  };
  const conversionReport: typeof library.conversionReport = (model, batches, options) => {
    calls.measured.push(...batches);
    return library.conversionReport(model, batches, options);
  };
  return { ...library, balanceAttention, conversionReport };
});
vi.mock('../../../cli/interrupt.ts', async () => (await import('./interruption.ts')).interruption);
// The demonstration takes the whole book, which is not what its options are about.
vi.mock('../../../experiments/sources/moby-dick.ts', () => ({ mobyDickPath: () => at('book.txt') }));

// On a busy machine the trainings of the demonstration take long.
const program = createProgram();
process.env.PERFORMERS_THREADS = '1';
vi.stubEnv('PERFORMERS_API_KEY', undefined);

const suites: Record<string, () => CommandCases> = {
  train: trainCases,
  finetune: finetuneCases,
  generate: generateCases,
  evaluate: evaluateCases,
  info: infoCases,
  convert: convertCases,
  export: exportCases,
  demo: demoCases,
  reproduce: reproduceCases,
  serve: serveCases,
};

beforeAll(async () => {
  await writeTrainingFixtures();
  await writeModelFixtures();
  // Long enough for the windows of the demonstration.
  writeFileSync(at('book.txt'), readFileSync(at('text.txt'), 'utf8').repeat(60));
});
beforeEach(() => {
  for (const list of Object.values(calls)) list.length = 0;
});
afterAll(removeFolder);

/** The options that all commands share, which each of them must honour. */
const shared: Record<string, OptionCase> = {
  '--backend': {
    args: ['--backend', 'wasm'],
    check: ({ backends }) => expect(backends[0]).toMatch(/^wasm/),
    resolved: ['backend', expect.stringMatching(/^wasm/)],
  },
  '--threads': {
    args: ['--threads', '2'],
    check: ({ backends }) => expect(backends[0]).toContain('2 threads'),
    resolved: ['backend', expect.stringContaining('2 threads')],
  },
  '--json': {
    args: ['--json'],
    check: ({ stdout }) => expect(JSON.parse(stdout)).toBeTypeOf('object'),
  },
  '--dry-run': {
    args: ['--dry-run'],
    check: ({ stdout }) => expect(stdout).toMatch(/^command {3,}\w+\nconfiguration\./),
  },
};

/** Runs a command, and adds the backends that it made. */
async function see(observe: CommandCases['observe'], args: readonly string[]): Promise<Seen> {
  calls.backends.length = 0;
  const out = newPath();
  const seen = await observe(
    args.map((argument) => (argument === 'OUT' ? out : argument)),
    out,
  );
  return { ...seen, backends: [...calls.backends] };
}

async function passes(check: () => void | Promise<void>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch {
    return false;
  }
}

function valueAt(object: Seen, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Seen | null | undefined)?.[key], object);
}

/** What `--dry-run --json` prints; fails when anything else happens. */
async function dryRun(args: readonly string[]): Promise<Seen> {
  const out = newPath();
  const before = filesBelow(folder);
  const replacedOut = args.map((argument) => (argument === 'OUT' ? out : argument));
  const ran = await runCommand(replaced(replacedOut, ['--dry-run', '--json']));
  expect(filesBelow(folder)).toEqual(before);
  if (ran.error !== undefined) return { error: ran.error };
  const { command, configuration, backend, ...rest } = JSON.parse(ran.stdout);
  expect(Object.keys(rest)).toEqual([]);
  expect(command).toBe(args[0]);
  return { ...configuration, backend };
}

describe.each(program.commands.map((command) => [command.name(), command] as const))(
  'performers %s',
  (name, command) => {
    const cases: CommandCases | undefined = existsSync(folder) ? suites[name]?.() : undefined;
    const found = command.options.map(({ long }) => long ?? '');

    it('has a case for each option, and an option for each case', () => {
      const known = Object.keys(cases?.options ?? {});
      expect(found.filter((long) => !known.includes(long) && !(long in shared))).toEqual([]);
      expect(known.filter((long) => !found.includes(long))).toEqual([]);
    });
    if (!cases) return;
    const { base, observe } = cases;
    beforeAll(async () => cases.prepare?.());

    const baselines = new Map<string, Promise<Seen>>();
    /** Runs without an option are kept, as few of them differ. */
    const baseline = (args: readonly string[], look = observe) => {
      const key = args.join(' ');
      if (look !== observe) return see(look, args);
      if (!baselines.has(key)) baselines.set(key, see(observe, args));
      return baselines.get(key)!;
    };

    const printing = ['--json', '--dry-run'];
    const resolving = found.includes('--dry-run') ? found.filter((long) => !printing.includes(long)) : [];
    it.runIf(resolving.length > 0)('shows each in --dry-run --json', async () => {
      for (const long of resolving) {
        const { only, beside = [], args, resolved } = cases.options[long] ?? shared[long];
        expect(resolved, `say where --dry-run shows ${long}`).toBeDefined();
        const [path, value] = resolved!;
        const around = only ?? replaced(base, beside);
        const shown = await dryRun(replaced(around, args));
        expect(shown.error, long).toBeUndefined();
        expect(valueAt(shown, path), `${long} at ${path}`).toEqual(value);
        const plain = await dryRun(around);
        expect(valueAt(plain, path), `${path} without ${long}`).not.toEqual(value);
      }
    });

    it.each(found)('%s has its effect', async (long) => {
      const given = cases.options[long] ?? shared[long];
      expect(given, `add a case for ${long}`).toBeDefined();
      const around = [...(given.only ?? replaced(base, given.beside ?? []))];
      const without = ['--json', '--dry-run'].includes(long)
        ? around.filter((argument) => argument !== '--json')
        : around;
      const args = replaced(without, given.args);
      const look = given.observe ?? observe;
      const ignoring = await baseline(without, look);
      const seen = await see(look, args);
      await given.check(seen, ignoring);
      expect(await passes(() => given.check(ignoring, ignoring)), `the case of ${long} passes without it`).toBe(false);
    });

    it('refuses by name what a mode does not take', async () => {
      for (const mode of commandModes(command)) {
        for (const option of command.options) {
          if (!refusedBy(mode, command).includes(option.attributeName())) continue;
          const choosing = choices[mode.name];
          expect(choosing, `say what chooses the mode "${mode.name}"`).toBeDefined();
          const { args = [] } = cases.options[option.long!] ?? shared[option.long!];
          const { error } = await runCommand(replaced(choosing(base), args));
          expect(error, `${mode.name} and ${option.long}`).toContain(`${mode.name} does not take ${option.long}`);
        }
      }
    });
  },
);

/** Arguments that choose each mode, and nothing besides. */
const choices: Record<string, (base: readonly string[]) => string[]> = {
  '--backend reference': (base) => replaced(base, ['--backend', 'reference']),
  'train --resume, which keeps what the run was started with,': () => ['train', '--resume', '--out', at('favor')],
  'finetune --resume, which keeps what the run was started with,': () => ['finetune', '--resume', '--out', at('favor')],
  '--split none, which holds nothing out,': (base) => replaced(base, ['--split', 'none']),
  '--split given, which divides as the files are named,': (base) => replaced(base, ['--split', 'given']),
  'generate --temperature 0, which takes the likeliest token,': (base) => replaced(base, ['--temperature', '0']),
  '--sessions 0, which keeps none,': (base) => replaced(base, ['--sessions', '0']),
  serve: (base) => [...base],
  '--to huggingface': (base) => replaced(base, ['--to', 'huggingface']),
  'convert without --data, which measures nothing,': () => ['convert', '--from', at('exact'), '--out', at('refused')],
  '--attention exact, which has no features and no exceptions,': () => {
    return ['convert', '--from', at('exact'), '--out', at('refused'), '--attention', 'exact', '--data', at('text.txt')];
  },
  '--attention exact without --data': () => {
    return ['convert', '--from', at('exact'), '--out', at('refused'), '--attention', 'exact'];
  },
  '--auto, which chooses among the features of --ladder, the near fields and the exact layers itself,': () => {
    return ['convert', '--from', at('exact'), '--out', at('refused'), '--auto', '0.5', '--data', at('text.txt')];
  },
  '--auto, which chooses between favor and exact layer by layer,': () => {
    return ['convert', '--from', at('exact'), '--out', at('refused'), '--auto', '0.5', '--data', at('text.txt')];
  },
  'demo --steps': () => ['demo', '--steps', '1', '--out', at('refused')],
  'A demonstration that continues, with the steps it was started with,': () => {
    cpSync(at('favor'), at('shown/performer'), { recursive: true });
    return ['demo', '--out', at('shown')];
  },
};

it('measures a conversion on other sequences than those that balance it', async () => {
  const args = ['convert', '--from', at('exact'), '--data', at('text.txt'), '--length', '16', '--sequences', '8'];
  const few = ['--ladder', '8', '--estimators', 'positive', '--features', '8', '--out', newPath()];
  expect((await runCommand([...args, ...few])).error).toBeUndefined();
  expect([calls.balanced.length, calls.measured.length]).toEqual([6, 2]);
  const inputs = (batches: unknown[]) => batches.map((batch) => String((batch as { input: ArrayLike<number> }).input));
  expect(inputs(calls.measured).filter((input) => inputs(calls.balanced).includes(input))).toEqual([]);
});

// What is measured and what is not make their features in two places.
describe.each([
  ['not measured', []],
  ['measured', ['--data', 'text.txt', '--length', '16', '--sequences', '2', '--ladder', '8', '--estimators', 'smreg']],
])('a conversion that is %s', (name, more) => {
  const convert = async (...args: string[]) => {
    const out = newPath();
    const given = more.map((argument) => (argument.endsWith('.txt') ? at(argument) : argument));
    const { error } = await runCommand(['convert', '--from', at('exact'), ...given, ...args, '--out', out]);
    expect(error).toBeUndefined();
    return { weights: hashOf(join(out, 'model.safetensors')), configuration: readJson(out, 'config.json') };
  };

  it.each([
    [['--seed', '3']],
    [['--features', '12']],
    [['--kernel', 'hyperbolic']],
    [['--projection', 'givens']],
    [['--keep-exact', '0']],
    [['--attention', 'auto']],
    ...(name === 'measured' ? [[['--kernel', 'favor++']]] : []),
  ])('takes %j', async (option) => {
    expect(await convert(...option)).not.toEqual(await convert());
  });
});
