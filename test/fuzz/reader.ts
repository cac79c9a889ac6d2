/** Has inputs read in a process of its own and says how that ended, whatever the input does to that process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
/**
 * A line of text, of 16 MiB at most, is in memory whole, as bytes and as text. A few compressed bytes may stand for a
 * whole line.
 */
const LINE_BYTES = 3 * 2 ** 24;
/** Other programs may keep an input from a processor; after so many times its share it hangs all the same. */
const PATIENCE = 20;

export interface ReaderOptions {
  /** The bundle of child.ts. */
  readonly child: string;
  readonly target: string;
  readonly seed: number;
  /** Seconds of processor time after which an input hangs. Default {@link HANG_SECONDS}. */
  readonly hangSeconds?: number;
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
   * @param wanted its number, or the folder of its files
   */
  async read(wanted: number | string, files: () => Files): Promise<Answer> {
    const answer = await this.#ask(wanted);
    if (!this.#isSuspect(answer, files)) return answer;
    // Again in a fresh process: what went before may have grown this one.
    this.stop();
    const again = await this.#ask(wanted);
    if (isFinding(again)) return again;
    if (again.seconds > this.#hangSeconds) return { ...again, outcome: 'hang', detail: `${again.seconds} s` };
    if (again.growth <= this.#allowance(files())) return again;
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
      answer.outcome === 'crash' ||
      answer.seconds > this.#hangSeconds ||
      (answer.growth > FREE_BYTES && answer.growth > this.#allowance(files()))
    );
  }

  #allowance(files: Files): number {
    return 2 * totalBytes(files) + FREE_BYTES + (this.options.target === 'compressed' ? LINE_BYTES : 0);
  }

  get #hangSeconds(): number {
    return this.options.hangSeconds ?? HANG_SECONDS;
  }

  async #ask(wanted: number | string): Promise<Answer> {
    if (!this.#process) await this.#start();
    const child = this.#process!;
    child.stdin!.write(`${JSON.stringify(wanted)}\n`);
    const line = await this.#next(this.#hangSeconds);
    if (line === 'late') {
      this.stop();
      const detail = `no answer within ${this.#hangSeconds} s of processor time`;
      return { outcome: 'hang', detail, seconds: this.#hangSeconds, growth: 0 };
    }
    if (line === undefined) {
      const { exitCode, signalCode } = child;
      this.stop();
      const detail = `ended by ${signalCode ?? `status ${exitCode}`}\n${this.#errors.slice(-4000)}`;
      return { outcome: 'crash', detail, seconds: 0, growth: 0 };
    }
    return JSON.parse(line) as Answer;
  }

  /** The next line of the process; `late` after so many seconds of its processor time, undefined at its end. */
  async #next(seconds: number): Promise<string | 'late' | undefined> {
    const next = this.#lines!.next().then(({ done, value }) => (done ? undefined : value));
    const child = this.#process!;
    const { pid } = child;
    const start = { wall: performance.now(), processor: processorSeconds(pid) };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setInterval(() => {
        const wall = (performance.now() - start.wall) / 1000;
        if (processorSeconds(pid) - start.processor > seconds || wall > seconds * PATIENCE) resolve('late');
      }, 250);
    });
    const line = await Promise.race([next, late]);
    clearInterval(timer);
    if (line === undefined && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('exit', resolve));
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

/** Processor time that a process has taken; 0 where the system does not say. */
function processorSeconds(pid: number | undefined): number {
  try {
    const [, fields] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ');
    const [user, system] = fields!.split(' ').slice(11, 13);
    // In hundredths of a second on every Linux that Node runs on.
    return (Number(user) + Number(system)) / 100;
  } catch {
    return 0;
  }
}
