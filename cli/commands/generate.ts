import { addAbortSignal } from 'node:stream';
import { Command } from 'commander';
import { findCheckpoint } from '../../src/entries/internal.ts';
import { createBackend, DataError, loadModel, streamText } from '../../src/entries/performers.ts';
import { type Mode, type PlannedFlags, planned } from '../command.ts';
import { interruptSignal, wasInterrupted } from '../interrupt.ts';
import { fraction, nonNegativeNumber, positiveInteger, wholeNumber } from '../options.ts';
import { formatCount, printJson, say } from '../output.ts';

interface GenerateFlags extends PlannedFlags {
  model: string;
  prompt: string;
  tokens: number;
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
}

const modes: readonly Mode<GenerateFlags>[] = [
  {
    name: 'generate --temperature 0, which takes the likeliest token,',
    when: ({ temperature }) => temperature === 0,
    refuses: ['topK', 'topP', 'seed'],
  },
];

export function generateCommand(): Command {
  const command = new Command('generate')
    .description('Continue a prompt, token by token. A Performer spends the same time on every token.')
    .requiredOption('--model <dir>', 'a run (its newest checkpoint is taken) or one checkpoint')
    .requiredOption('--prompt <text>', 'what to continue, at least one character; - reads standard input to its end')
    .option('--tokens <n>', 'tokens to generate', positiveInteger, 256)
    .option('--temperature <t>', 'divides the logits; 0 = always the likeliest token', nonNegativeNumber, 0.8)
    .option('--top-k <k>', 'choose among the k likeliest tokens; 0 = all', wholeNumber, 0)
    .option('--top-p <p>', 'choose among the likeliest tokens that reach this probability', fraction, 0.95)
    .option('--seed <n>', 'seed of the choices', wholeNumber, 0);
  return planned<GenerateFlags>(command, { modes }, (flags) => ({
    resolve: async () => {
      const { prompt, tokens, temperature, topK, topP, seed } = flags;
      return { model: await findCheckpoint(flags.model), prompt, tokens, temperature, topK, topP, seed };
    },
    perform: () => generate(flags),
  }));
}

/** The text of standard input. The line end that editors and echo leave at the end is no part of a prompt. */
async function readInput(signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of addAbortSignal(signal, process.stdin)) chunks.push(chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '');
  } catch {
    throw new DataError('The prompt on standard input is not UTF-8: convert the text first.');
  }
}

async function generate(flags: GenerateFlags): Promise<void> {
  const signal = interruptSignal();
  const prompt = flags.prompt === '-' ? await readInput(signal) : flags.prompt;
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const { model, tokenizer } = await loadModel(backend, flags.model, { signal });
    const { tokens, temperature, topK, topP, seed } = flags;
    const options = { maxTokens: tokens, temperature, topK, topP, seed, signal };
    const start = performance.now();
    let text = '';
    for await (const piece of streamText(model, tokenizer, prompt, options)) {
      if (!flags.json) process.stdout.write(text === '' ? prompt + piece : piece);
      text += piece;
    }
    const seconds = (performance.now() - start) / 1000;
    const rate = tokens / seconds;
    if (flags.json) {
      printJson({ prompt, text, tokens, seconds, tokensPerSecond: rate, backend: backend.description });
    } else {
      process.stdout.write('\n');
      if (!signal.aborted)
        say(`${formatCount(tokens)} tokens at ${formatCount(rate)} tokens/s on ${backend.description}`);
    }
    wasInterrupted();
  } finally {
    backend.close();
  }
}
