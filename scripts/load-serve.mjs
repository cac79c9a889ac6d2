// Asks `performers serve` as many clients at once would, and says what came back. Every answer is checked for being
// whole.
//   node scripts/load-serve.mjs [--model DIR] [--clients 64] [--seconds 60] [--positions rotary] [--tokens 64] [-- OPTIONS OF SERVE]
// Without --model: a random model of the size of the preset `compact`, over bytes.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readWeights } from '../dist/layers.js';
import { createBackend, encodeSafetensors, Transformer, transformerPresets } from '../dist/node.js';
import { ByteTokenizer } from '../dist/tokenizers.js';
import { root } from './build-tools.mjs';

const split = process.argv.indexOf('--');
const own = split < 0 ? process.argv.slice(2) : process.argv.slice(2, split);
const serveOptions = split < 0 ? [] : process.argv.slice(split + 1);
const { values } = parseArgs({
  args: own,
  options: {
    model: { type: 'string' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '60' },
    positions: { type: 'string', default: transformerPresets.compact.positions },
    tokens: { type: 'string', default: '64' },
  },
});
const [clients, seconds, tokens] = [values.clients, values.seconds, values.tokens].map(Number);

/** Writes a model of random weights. Its tokenizer has no token that ends a text, so that lengths are known. */
async function randomModel(directory) {
  const backend = await createBackend({ numThreads: 1 });
  const model = new Transformer(backend, { ...transformerPresets.compact, positions: values.positions }, 1);
  writeFileSync(join(directory, 'config.json'), JSON.stringify(model.configuration));
  writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(new ByteTokenizer()));
  writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(await readWeights(model)));
  backend.close();
}

/** Starts the server; resolves with its address. */
function start(directory) {
  const child = spawn(
    process.execPath,
    [join(root, 'dist/cli.js'), 'serve', '--model', directory, '--port', '0', ...serveOptions],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise((resolve) => child.on('close', resolve));
  const line = new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data).trim()));
    void ended.then((status) => reject(new Error(`The server ended with status ${status}.`)));
  });
  return { child, line, ended };
}

/** One request. Throws unless its answer is whole; returns what it took, in milliseconds. */
async function ask(url, number) {
  // Lengths from 8 to 103 and around --tokens, without a common period; half of the answers are streamed.
  const prompt = 'There she blows! '.repeat(7).slice(0, 8 + ((number * 37) % 96));
  const max_tokens = Math.max(1, tokens - 16 + ((number * 11) % 33));
  const stream = number % 2 === 0;
  const start = performance.now();
  const response = await fetch(`${url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt, max_tokens, stream, ...(stream && { stream_options: { include_usage: true } }) }),
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  let first;
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of response.body) {
    first ??= performance.now() - start;
    text += decoder.decode(bytes, { stream: true });
  }
  const events = stream ? text.split('\n\n').filter((event) => event !== '') : [`data: ${text}`];
  if (stream && events.pop() !== 'data: [DONE]') throw new Error('A stream ended without [DONE].');
  const { usage } = JSON.parse(events.at(-1).slice('data: '.length));
  if (usage?.completion_tokens !== max_tokens || usage.prompt_tokens !== prompt.length) {
    throw new Error(`Asked for ${max_tokens} tokens after ${prompt.length}, got ${JSON.stringify(usage)}.`);
  }
  return {
    first: stream ? first : undefined,
    latency: performance.now() - start,
    completion: max_tokens,
    prompt: prompt.length,
  };
}

const percentile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const health = async (url) => (await fetch(url.replace('/v1', '/health'))).json();
const settled = () => new Promise((resolve) => setTimeout(resolve, 1500));

async function load(url) {
  const answers = [];
  const failures = [];
  let number = 0;
  const end = performance.now() + 1000 * seconds;
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < end)
        await ask(url, number++).then(
          (answer) => answers.push(answer),
          (error) => failures.push(error),
        );
    }),
  );
  return { answers, failures, seconds: (performance.now() - begin) / 1000 };
}

function report(line, { answers, failures, seconds }, before, after) {
  const sum = (key) => answers.reduce((total, answer) => total + answer[key], 0);
  const sorted = (key) => answers.flatMap((answer) => answer[key] ?? []).sort((a, b) => a - b);
  const times = (key) => [0.5, 0.95].map((share) => `${percentile(sorted(key), share).toFixed(0)} ms`).join(', ');
  const rows = [
    ['server', line],
    ['clients', clients],
    ['seconds', seconds.toFixed(1)],
    ['requests', `${answers.length}, lost ${failures.length}`],
    [
      'tokens/s',
      `${(sum('completion') / seconds).toFixed(0)} generated, ${(sum('prompt') / seconds).toFixed(0)} of prompts`,
    ],
    ['tokens per CPU second', (sum('completion') / (after.cpu_seconds - before.cpu_seconds)).toFixed(0)],
    ['latency (p50, p95)', times('latency')],
    ['first token (p50, p95)', times('first')],
    ['resident', `${mebibytes(before.resident_bytes)} before, ${mebibytes(after.resident_bytes)} after`],
    ['backend memory', `${mebibytes(before.backend.bytes)} before, ${mebibytes(after.backend.bytes)} after`],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(24)}${value}`);
  for (const failure of failures.slice(0, 5)) console.log(`lost: ${failure.message}`);
}

const directory = values.model ?? mkdtempSync(join(tmpdir(), 'performers-load-'));
if (!values.model) await randomModel(directory);
const { child, line, ended } = start(directory);
try {
  const said = await line;
  const [url] = said.match(/http:\S+/);
  // The first requests fill caches.
  for (let number = 0; number < 4; number++) await ask(url, number);
  await settled();
  const before = await health(url);
  const result = await load(url);
  await settled();
  report(said, result, before, await health(url));
  if (result.failures.length > 0) process.exitCode = 1;
} finally {
  child.kill('SIGTERM');
  await ended;
  if (!values.model) rmSync(directory, { recursive: true });
}
