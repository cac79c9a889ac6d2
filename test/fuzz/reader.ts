/** Has inputs read in a process of its own and says how that ended, whatever the input does to that process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Files, totalBytes } from './files.ts';

export type Outcome =
  | 'accepted'
  | 'refused'
  /** A valid input is not accepted. */
  | 'seed refused'
  /** An error without a class of the package. */
  | 'raw error'
  /** An error of the package whose message is no sentence on one line. */
  | 'no sentence'
  /** A rejection or exception that the call did not give back. */
  | 'stray error'
  | 'crash'
  | 'hang'
  | 'memory';

export interface Answer {
  readonly outcome: Outcome;
  /** The message or the stack. */
  readonly detail: string;
  /** Processor time. */
  readonly seconds: number;
  /** Bytes by which the process grew, at its peak. */
  readonly growth: number;
}

export const isFinding = ({ outcome }: Pick<Answer, 'outcome'>): boolean =>
  outcome !== 'accepted' && outcome !== 'refused';

/** Of processor time, for one input. */
export const HANG_SECONDS = 2;
/** What reading may take besides twice the input: libraries, buffers of streams, garbage that is not collected yet. */
export const FREE_BYTES = 64 * 2 ** 20;
/** Other work on the machine may keep an input from its processor for so many times its own time. */
const PATIENCE = 10;

export interface ReaderOptions {
  /** The bundle of child.ts. */
  readonly child: string;
  readonly target: string;
  readonly seed: number;
}

/** One process that reads inputs of one target, started again when it ends. */
export class Reader {
  #process: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;
  #errors = '';
  readonly #folder = mkdtempSync(join(tmpdir(), 'performers-fuzz-'));

  constructor(readonly options: ReaderOptions) {}

  /**
   * Reads one input.
   *
   * @param wanted its number, or the folder in which its files lie
   */
  async read(wanted: number | string, files: () => Files): Promise<Answer> {
    const answer = await this.#ask(wanted, HANG_SECONDS);
    if (!this.#isSuspect(answer, files)) return answer;
    // Again, alone and with patience: what went before may have grown the process, and other programs may have slowed it.
    this.stop();
    const again = await this.#ask(wanted, HANG_SECONDS * PATIENCE);
    if (again.outcome === 'crash' || again.outcome === 'hang' || isFinding(again)) return again;
    if (again.seconds > HANG_SECONDS) return { ...again, outcome: 'hang', detail: `${again.seconds} s` };
    if (again.growth <= allowance(files())) return again;
    const detail = `${(again.growth / 2 ** 20).toFixed(0)} MiB for ${totalBytes(files())} bytes; ${again.detail}`;
    this.stop();
    return { ...again, outcome: 'memory', detail };
  }

  stop(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }

  /** Ends the process and removes its files. */
  close(): void {
    this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #isSuspect(answer: Answer, files: () => Files): boolean {
    return (
      answer.outcome === 'hang' ||
      answer.outcome === 'crash' ||
      answer.seconds > HANG_SECONDS ||
      (answer.growth > FREE_BYTES && answer.growth > allowance(files()))
    );
  }

  async #ask(wanted: number | string, seconds: number): Promise<Answer> {
    if (!this.#process) await this.#start();
    const { stdin } = this.#process!;
    stdin!.write(`${JSON.stringify(wanted)}\n`);
    const line = await this.#next(seconds);
    if (line === 'late') {
      this.stop();
      return { outcome: 'hang', detail: `no answer within ${seconds} s`, seconds, growth: 0 };
    }
    if (line === undefined) {
      const { exitCode, signalCode } = this.#process!;
      this.stop();
      const detail = `ended by ${signalCode ?? `status ${exitCode}`}\n${this.#errors.slice(-4000)}`;
      return { outcome: 'crash', detail, seconds: 0, growth: 0 };
    }
    return JSON.parse(line) as Answer;
  }

  /** The next line of the process; `late` if none comes in time, undefined at the end of the process. */
  async #next(seconds: number): Promise<string | 'late' | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), seconds * 1000);
    });
    const line = await Promise.race([this.#lines!.next().then(({ done, value }) => (done ? undefined : value)), late]);
    clearTimeout(timer);
    if (line === undefined && this.#process!.exitCode === null && this.#process!.signalCode === null) {
      await new Promise((resolve) => this.#process!.once('exit', resolve));
    }
    return line;
  }

  async #start(): Promise<void> {
    const { child, target, seed } = this.options;
    const flags = ['--expose-gc', '--max-old-space-size=1024', '--enable-source-maps'];
    const started = spawn(process.execPath, [...flags, child, target, String(seed), join(this.#folder, 'input')]);
    this.#process = started;
    this.#errors = '';
    started.stderr.on('data', (data) => {
      this.#errors = (this.#errors + data).slice(-8000);
    });
    started.stdin.on('error', () => {});
    this.#lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
    const line = await this.#next(120);
    if (line === '"ready"') return;
    this.stop();
    throw new Error(`The target ${target} does not start: ${this.#errors}`);
  }
}

const allowance = (files: Files): number => 2 * totalBytes(files) + FREE_BYTES;
