import { Presets, SingleBar } from 'cli-progress';
import { formatCount, formatSeconds, say } from './output.ts';

interface TrainingProgressOptions {
  readonly label: string;
  readonly steps: number;
  readonly startStep: number;
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
  #step: number;
  #text = 'starting';

  constructor(options: TrainingProgressOptions) {
    this.#options = options;
    this.#step = options.startStep;
    if (!process.stderr.isTTY) return;
    const format = `${options.label} [{bar}] {value}/{total} │ {text}`;
    this.#bar = new SingleBar(
      { format, stream: process.stderr, hideCursor: true, barsize: 12, autopadding: true, gracefulExit: false },
      Presets.shades_classic,
    );
    this.#bar.start(options.steps, options.startStep, { text: this.#text });
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
    const left = (this.#options.steps - step) * this.#secondsPerStep;
    this.#step = step;
    this.#text =
      `${formatSeconds(left)} left │ loss ${this.#loss.toFixed(3)} │ ${bits}` +
      `${formatCount(this.#tokensPerSecond)} tokens/s`;
    if (this.#bar) {
      this.#bar.update(step, { text: this.#text });
    } else if (performance.now() - this.#lastLine > lineInterval || step === this.#options.steps) {
      this.#lastLine = performance.now();
      say(`${this.#options.label}: step ${step}/${this.#options.steps} │ ${this.#text}`);
    }
  }

  /** Prints `line` without tearing the bar. */
  note(line: string): void {
    this.#bar?.stop();
    say(line);
    this.#bar?.start(this.#options.steps, this.#step, { text: this.#text });
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
