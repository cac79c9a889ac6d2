import { Presets, SingleBar } from 'cli-progress';
import { formatCount, formatSeconds, say } from './output.ts';

interface TrainingProgressOptions {
  readonly label: string;
  readonly steps: number;
  readonly startStep: number;
  /** After which the run ends. Default: when the steps are made. */
  readonly minutes?: number | undefined;
  /** Characters that a token stands for on average; undefined where the loss is not that of a text. */
  readonly charactersPerToken: number | undefined;
}

/** Weight of the newest value in the moving averages that the bar shows. */
const smoothing = 0.05;
const lineInterval = 10_000;

/**
 * Progress of a training run: a bar on a terminal, a line every ten seconds elsewhere. Shows the time left, smoothed loss
 * (nats per token), bits per character and tokens per second; what a narrow terminal cuts off matters least.
 */
export class TrainingProgress {
  readonly #bar: SingleBar | undefined;
  readonly #options: TrainingProgressOptions;
  #loss: number | undefined;
  #tokensPerSecond: number | undefined;
  #secondsPerStep: number | undefined;
  #lastLine = performance.now();
  readonly #start = performance.now();
  #step: number;
  #text = 'starting';

  constructor(options: TrainingProgressOptions) {
    this.#options = options;
    this.#step = options.startStep;
    if (!process.stderr.isTTY) return;
    const place = options.minutes === undefined ? '{value}/{total}' : '{percentage} %';
    const format = `${options.label} [{bar}] ${place} │ {text}`;
    this.#bar = new SingleBar(
      { format, stream: process.stderr, hideCursor: true, barsize: 12, autopadding: true, gracefulExit: false },
      Presets.shades_classic,
    );
    this.#bar.start(this.#total, this.#done, { text: this.#text });
  }

  /** The bar counts steps or, where the time is limited, seconds. */
  get #total(): number {
    const { steps, minutes } = this.#options;
    return minutes === undefined ? steps : 60 * minutes;
  }

  get #done(): number {
    if (this.#options.minutes === undefined) return this.#step;
    return Math.min(this.#total, (performance.now() - this.#start) / 1000);
  }

  /** Reports a completed update that took `seconds`. */
  update({ step, loss, tokens, seconds }: { step: number; loss: number; tokens: number; seconds: number }): void {
    this.#loss = average(this.#loss, loss);
    this.#tokensPerSecond = average(this.#tokensPerSecond, tokens / seconds);
    this.#secondsPerStep = average(this.#secondsPerStep, seconds);
    const { charactersPerToken } = this.#options;
    const bits =
      charactersPerToken === undefined
        ? ''
        : `${(this.#loss / Math.LN2 / charactersPerToken).toFixed(3)} bits/character │ `;
    this.#step = step;
    const { steps, minutes, label } = this.#options;
    const untilLast = (steps - step) * this.#secondsPerStep;
    const left = minutes === undefined ? untilLast : Math.min(untilLast, this.#total - this.#done);
    const place = minutes === undefined ? `step ${step}/${steps}` : `step ${step}`;
    this.#text =
      `${formatSeconds(left)} left │ loss ${this.#loss.toFixed(3)} │ ${bits}` +
      `${formatCount(this.#tokensPerSecond)} tokens/s`;
    if (this.#bar) {
      this.#bar.update(this.#done, { text: this.#text });
    } else if (performance.now() - this.#lastLine > lineInterval || step === steps) {
      this.#lastLine = performance.now();
      say(`${label}: ${place} │ ${this.#text}`);
    }
  }

  /** Prints `line` without tearing the bar. */
  note(line: string): void {
    this.#bar?.stop();
    say(line);
    this.#bar?.start(this.#total, this.#done, { text: this.#text });
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** Progress of any work: a bar on a terminal, a line every ten seconds elsewhere, with the time left. */
export class WorkProgress {
  readonly #bar: SingleBar | undefined;
  readonly #label: string;
  readonly #start = performance.now();
  #lastLine = performance.now();

  constructor(label: string) {
    this.#label = label;
    if (!process.stderr.isTTY) return;
    const format = `${label} [{bar}] {percentage} % │ {text}`;
    this.#bar = new SingleBar(
      { format, stream: process.stderr, hideCursor: true, barsize: 20, autopadding: true, gracefulExit: false },
      Presets.shades_classic,
    );
    this.#bar.start(1, 0, { text: 'starting' });
  }

  /** @param done from 0 to 1 */
  update(done: number, what: string): void {
    const now = performance.now();
    const left = ((now - this.#start) / 1000) * (1 / Math.max(done, 1e-6) - 1);
    const text = done > 0.02 ? `${formatSeconds(left)} left │ ${what}` : what;
    if (this.#bar) {
      this.#bar.update(done, { text });
    } else if (now - this.#lastLine > lineInterval) {
      this.#lastLine = now;
      say(`${this.#label}: ${Math.floor(100 * done)} % │ ${text}`);
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}

function average(earlier: number | undefined, value: number): number {
  return earlier === undefined ? value : earlier + smoothing * (value - earlier);
}
