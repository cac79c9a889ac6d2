/** What all commands have in common: which options a mode takes, `--dry-run`, and options that are read strictly. */
import { type Command, Option } from 'commander';
import { ConfigurationError, createBackend } from '../src/entries/performers.ts';
import { interruptSignal } from './interrupt.ts';
import { type BackendFlags, backendOptions, jsonOption } from './options.ts';
import { formatSettings, printJson } from './output.ts';

/** A way of running a command that does not take all of its options. Several modes may hold at once. */
export interface Mode<Flags> {
  /** What chooses the mode, such as `train --resume`; the refusal names it. */
  readonly name: string;
  /** Whether the options, or the files that they name, choose the mode. */
  readonly when: (flags: Flags) => boolean | Promise<boolean>;
  /** The only options that the mode takes, besides those of every mode. A new option is refused until it stands here. */
  readonly takes?: readonly (keyof Flags & string)[];
  /** The options that the mode does not take, where it takes most. */
  readonly refuses?: readonly (keyof Flags & string)[];
  /** What to do instead. Default: to leave them out. */
  readonly advice?: string;
}

/** What a command would do, and the doing. */
export interface Plan {
  /** Everything that influences the run, after presets, files, flags and defaults; null for what is not set. */
  readonly resolve: () => Promise<object> | object;
  readonly perform: () => Promise<void>;
}

/** Flags of every command that plans. */
export interface PlannedFlags extends BackendFlags {
  json?: boolean;
  dryRun?: boolean;
}

interface CommandModes<Flags> {
  readonly modes?: readonly Mode<Flags>[];
}

/** Options that every mode takes, as they decide where and how is computed and what is printed. */
const taken = ['backend', 'threads', 'json', 'dryRun'];

/**
 * Completes a command that plans. Adds the options of every command, and runs the plan. With `--dry-run` the command
 * prints what was resolved and does nothing else.
 *
 * @param plan reads files at most; what changes anything belongs to `perform`
 * @param options.json what `--json` prints besides `--dry-run --json`. Default: one object on standard output
 */
export function planned<Flags extends PlannedFlags>(
  command: Command,
  { modes = [], json = jsonOption() }: CommandModes<Flags> & { readonly json?: Option },
  plan: (flags: Flags, argument: string) => Promise<Plan> | Plan,
): Command {
  for (const option of backendOptions()) command.addOption(option);
  command
    .addOption(json)
    .addOption(new Option('--dry-run', 'print the resolved configuration (with --json as JSON), and do nothing else'));
  return withModes<Flags>(command, { modes }, async (flags, argument) => {
    const signal = interruptSignal();
    const { resolve, perform } = await plan(flags, argument);
    signal.throwIfAborted();
    if (!flags.dryRun) return perform();
    const resolved = { command: command.name(), configuration: await resolve(), backend: await describeBackend(flags) };
    signal.throwIfAborted();
    if (flags.json) printJson(resolved);
    else process.stdout.write(formatSettings(resolved));
  });
}

/** Completes a command: its action runs once the options are those that its modes take. */
export function withModes<Flags extends BackendFlags>(
  command: Command,
  { modes = [] }: CommandModes<Flags>,
  action: (flags: Flags, argument: string) => Promise<void>,
): Command {
  const all = [...modes, referenceThreads as Mode<Flags>];
  for (const mode of all) checkMode(command, mode);
  readStrictly(command);
  modesOf.set(command, all as Mode<never>[]);
  return command.action(async () => {
    // Before anything else, so that Ctrl-C ends a command alike wherever it is.
    const signal = interruptSignal();
    const flags = command.opts<Flags>();
    for (const mode of all) {
      if (await mode.when(flags)) refuseOthers(command, mode);
    }
    signal.throwIfAborted();
    await action(flags, command.args[0] ?? '');
  });
}

const modesOf = new WeakMap<Command, readonly Mode<never>[]>();

/** The modes of a command, for the test that goes through them. */
export function commandModes(command: Command): readonly Mode<never>[] {
  return modesOf.get(command) ?? [];
}

/** The attribute names of the options that a mode does not take. */
export function refusedBy({ takes, refuses }: Mode<never>, command: Command): readonly string[] {
  if (refuses) return refuses;
  const allowed: readonly string[] = [...taken, ...(takes ?? [])];
  return command.options.map((option) => option.attributeName()).filter((name) => !allowed.includes(name));
}

const referenceThreads: Mode<BackendFlags> = {
  name: '--backend reference',
  when: ({ backend }) => backend === 'reference',
  refuses: ['threads'],
};

function checkMode<Flags>(command: Command, { name, takes, refuses }: Mode<Flags>): void {
  if ((takes === undefined) === (refuses === undefined)) {
    throw new ConfigurationError(`The mode ${name} must say either what it takes or what it refuses.`);
  }
  const known = command.options.map((option) => option.attributeName());
  const unknown = (takes ?? refuses ?? []).find((option) => !known.includes(option));
  if (unknown)
    throw new ConfigurationError(`The mode ${name} names ${unknown}, which ${command.name()} does not have.`);
}

/** @throws one sentence that names the options that were given and the mode does not take */
function refuseOthers(command: Command, mode: Mode<never>): void {
  const refused = refusedBy(mode, command);
  const given = command.options.filter((option) => {
    const name = option.attributeName();
    return refused.includes(name) && command.getOptionValueSource(name) === 'cli' && isMeant(option, command);
  });
  if (given.length === 0) return;
  const flags = given.map(({ long }) => long);
  const list = flags.length === 1 ? flags[0] : `${flags.slice(0, -1).join(', ')} and ${flags.at(-1)}`;
  const advice = mode.advice ?? `leave ${flags.length === 1 ? list : 'them'} out`;
  throw new ConfigurationError(`${mode.name} does not take ${list}: ${advice}.`);
}

/** The option that was given, `--x` or `--no-x`, which share a value. */
function isMeant(option: Option, command: Command): boolean {
  return !option.isBoolean() || command.getOptionValue(option.attributeName()) === !option.negate;
}

/** Refuses values that are empty or are the next option's name, and options that are given twice. */
function readStrictly(command: Command): void {
  for (const option of command.options) {
    const { long, variadic } = option;
    let isGiven = false;
    command.on(`option:${option.name()}`, (value: unknown) => {
      if (option.isBoolean()) return;
      if (isGiven && !variadic) throw new ConfigurationError(`${long} is given twice: give it once.`);
      isGiven = true;
      if (typeof value !== 'string') return;
      // Whether a text may be empty is the command's to say.
      if (value === '' && !option.flags.endsWith('<text>'))
        throw new ConfigurationError(`The value of ${long} is empty: give one, or leave ${long} out.`);
      const next = command.options.find((other) => other.long === value || other.short === value);
      if (next && !isJoined(command, `${long}=${value}`)) {
        throw new ConfigurationError(`${long} has no value, as ${value} follows: write ${long}=${value} to mean that.`);
      }
    });
  }
}

function isJoined(command: Command, argument: string): boolean {
  let root = command;
  while (root.parent) root = root.parent;
  return (root as Command & { readonly rawArgs: readonly string[] }).rawArgs.includes(argument);
}

async function describeBackend(flags: BackendFlags): Promise<string> {
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  backend.close();
  return backend.description;
}
