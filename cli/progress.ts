import { Presets, SingleBar } from 'cli-progress';
import { formatCount, formatSeconds, say } from './output.ts';

interface TrainingProgressOptions {
  readonly label: string;
  readonly steps: number;
  readonly startStep: number;
  /** Characters that a token stands for on average. */
  readonly charactersPerToken: number;
}

/** Weight of the newest value in the moving averages that the bar shows. */
const smoothing = 0.05;
const lineInterval = 10_000;

/**
 * Progress of a training run: a bar on a terminal, a line every ten seconds elsewhere. Shows smoothed loss (nats per
 * token), bits per character, tokens per second and the time left.
 */
export class TrainingProgress {
  readonly #bar: SingleBar | undefined;
  readonly #options: TrainingProgressOptions;
  #loss: number | undefined;
  #tokensPerSecond: number | undefined;
  #secondsPerStep: number | undefined;
  #lastLine = performance.now();

  constructor(options: TrainingProgressOptions) {
    this.#options = options;
    if (!process.stderr.isTTY) return;
    const format = `${options.label} [{bar}] {percentage}% │ step {value}/{total} │ {text}`;
    this.#bar = new SingleBar(
      { format, stream: process.stderr, hideCursor: true, barsize: 20, autopadding: true, gracefulExit: false },
      Presets.shades_classic,
    );
    this.#bar.start(options.steps, options.startStep, { text: 'starting' });
  }

  /** Reports a completed update that took `seconds`. */
  update({ step, loss, tokens, seconds }: { step: number; loss: number; tokens: number; seconds: number }): void {
    this.#loss = average(this.#loss, loss);
    this.#tokensPerSecond = average(this.#tokensPerSecond, tokens / seconds);
    this.#secondsPerStep = average(this.#secondsPerStep, seconds);
    const bits = this.#loss / Math.LN2 / this.#options.charactersPerToken;
    const left = (this.#options.steps - step) * this.#secondsPerStep;
    const text =
      `loss ${this.#loss.toFixed(3)} │ ${bits.toFixed(3)} bits/character │ ` +
      `${formatCount(this.#tokensPerSecond)} tokens/s │ ${formatSeconds(left)} left`;
    if (this.#bar) {
      this.#bar.update(step, { text });
    } else if (performance.now() - this.#lastLine > lineInterval || step === this.#options.steps) {
      this.#lastLine = performance.now();
      say(`${this.#options.label}: step ${step}/${this.#options.steps} │ ${text}`);
    }
  }

  /** Prints `line` without tearing the bar. */
  note(line: string): void {
    this.#bar?.stop();
    say(line);
    this.#bar?.start(this.#options.steps, this.#bar.getProgress() * this.#options.steps, { text: '' });
  }

  stop(): void {
    this.#bar?.stop();
  }
}

function average(earlier: number | undefined, value: number): number {
  return earlier === undefined ? value : earlier + smoothing * (value - earlier);
}
