/** One option of one command: what it changes, and how that is seen. */

/** What was seen of a run of a command; every command sees other things. */
// biome-ignore lint/suspicious/noExplicitAny: parsed JSON of many forms.
export type Seen = Record<string, any>;

export interface OptionCase {
  /** The option with a value that differs from what the command does without. */
  readonly args: readonly string[];
  /** Other options that it needs, given without it too; those of the base that they repeat are replaced. */
  readonly beside?: readonly string[];
  /** The whole command beside the option, in place of the base. */
  readonly only?: readonly string[];
  /** Where the command's own does not see the effect. */
  readonly observe?: (args: readonly string[], out: string) => Promise<Seen>;
  /**
   * Fails unless the option had its effect. The same check must fail on a run without the option.
   *
   * @param without what was seen of the run without
   */
  readonly check: (seen: Seen, without: Seen) => void | Promise<void>;
  /** Where `--dry-run --json` shows it, and as what; undefined for the options of printing alone. */
  readonly resolved?: readonly [path: string, value: unknown];
}

export interface CommandCases {
  /** The command with what it needs; OUT stands for a path that is new in each run. */
  readonly base: readonly string[];
  /** Runs the command and looks at what it left. */
  readonly observe: (args: readonly string[], out: string) => Promise<Seen>;
  /** Makes what the cases start from. */
  readonly prepare?: () => Promise<void>;
  readonly options: Readonly<Record<string, OptionCase>>;
}

/** Arguments with others put in place of the same options. */
export function replaced(base: readonly string[], others: readonly string[]): string[] {
  const names = others.filter((argument) => argument.startsWith('--'));
  const kept: string[] = [];
  let skips = false;
  for (const argument of base) {
    if (argument.startsWith('--')) skips = names.includes(argument);
    if (!skips) kept.push(argument);
  }
  return [...kept, ...others];
}
