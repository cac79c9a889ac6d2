import { once } from 'node:events';
import { basename, dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { findCheckpoint } from '../../src/entries/internal.ts';
import { ConfigurationError, createBackend, loadModel } from '../../src/entries/performers.ts';
import { type Mode, type PlannedFlags, planned } from '../command.ts';
import { interruptSignal } from '../interrupt.ts';
import { numberUpTo, positiveInteger, seconds, wholeNumber } from '../options.ts';
import { say } from '../output.ts';
import { defaultLimits, type Limits } from '../serve/engine/limits.ts';
import { isLoopback } from '../serve/http/hosts.ts';

interface ServeFlags extends PlannedFlags, Limits {
  model: string;
  host: string;
  port: number;
  name?: string;
  apiKey?: string;
  allowHost?: string[];
  cors?: string[];
  grace: number;
  verbose?: boolean;
}

const modes: readonly Mode<ServeFlags>[] = [
  { name: '--sessions 0, which keeps none,', when: ({ sessions }) => sessions === 0, refuses: ['sessionIdle'] },
  { name: 'serve', when: ({ dryRun }) => !dryRun, refuses: ['json'], advice: 'add --dry-run, or leave it out' },
];

export function serveCommand(): Command {
  const limits = defaultLimits;
  const command = new Command('serve')
    .description(
      'Serve a model over HTTP in the form of OpenAI: completions, embeddings, sessions that keep their past.',
    )
    .requiredOption('--model <dir>', 'a run (its newest checkpoint is taken) or one checkpoint')
    .option('--host <address>', 'where to listen; 0.0.0.0 = on every network', '127.0.0.1')
    .option('--port <n>', 'where to listen; 0 = any free port', portNumber, 8080)
    .option('--name <name>', "what clients call the model (default: the folder's name)")
    .option('--api-key <key>', 'a token that clients must send (default: PERFORMERS_API_KEY from the environment)')
    .option(
      '--allow-host <names...>',
      'names that clients may use for this machine (default: with a key any; without one localhost and IP addresses)',
    )
    .option(
      '--cors <origins...>',
      'origins whose pages may use the server, such as https://example.org (default: none)',
    )
    .option('--max-tokens <n>', 'prompt and completion of a request', positiveInteger, limits.maxTokens)
    .option('--max-body <bytes>', 'size of a request', numberUpTo(maxBody, positiveInteger), limits.maxBody)
    .option('--concurrency <n>', 'completions generated at once', positiveInteger, limits.concurrency)
    .option('--queue <n>', 'requests that may wait for a place; others get 429', wholeNumber, limits.queue)
    .option('--timeout <seconds>', 'longest time for a request', seconds, limits.timeout)
    .option('--receive-timeout <seconds>', 'longest time for a request to arrive', seconds, limits.receiveTimeout)
    .option('--sessions <n>', 'sessions kept', wholeNumber, limits.sessions)
    .option('--session-idle <seconds>', 'unused sessions are dropped after this', seconds, limits.sessionIdle)
    .option('--grace <seconds>', 'time for requests at work when the server is told to end', seconds, 30)
    .option('--verbose', 'a line on standard error for each request');
  return planned<ServeFlags>(command, { modes, json: new Option('--json', 'with --dry-run: print JSON') }, (flags) => {
    const apiKey = apiKeyOf(flags);
    return { resolve: () => resolved(flags, apiKey), perform: () => serve(flags, apiKey) };
  });
}

const portNumber = numberUpTo(65_535, wholeNumber);
/** Bytes of JSON that fit one string of JavaScript with room to spare. */
const maxBody = 2 ** 28;

function apiKeyOf(flags: ServeFlags): string | undefined {
  const apiKey = flags.apiKey ?? process.env.PERFORMERS_API_KEY;
  if (apiKey !== undefined && !/^\S+$/.test(apiKey)) {
    throw new ConfigurationError('The API key is empty or has spaces in it: choose one without.');
  }
  return apiKey;
}

/** What would be served and how; the key itself is not said. */
async function resolved(flags: ServeFlags, apiKey: string | undefined): Promise<object> {
  const directory = await findCheckpoint(flags.model);
  const { host, port, grace, verbose = false, allowHost = null, cors = [] } = flags;
  const limits = Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, flags[name as keyof Limits]]));
  const name = flags.name ?? nameOf(resolve(directory));
  const addresses = { host, port, asksForKey: apiKey !== undefined, allowHost, cors };
  return { model: directory, name, ...addresses, ...limits, grace, verbose };
}

async function serve(flags: ServeFlags, apiKey: string | undefined): Promise<void> {
  // The other commands start faster without a server's packages.
  const [{ Engine }, { Service }, { TextModel }] = await Promise.all([
    import('../serve/engine/engine.ts'),
    import('../serve/service.ts'),
    import('../serve/engine/text-model.ts'),
  ]);
  const signal = interruptSignal();
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const { model, tokenizer, directory, ...known } = await loadModel(backend, flags.model, { signal });
    const served = new TextModel(flags.name ?? nameOf(resolve(directory)), model, tokenizer, known);
    const engine = new Engine(served, flags);
    const { host, port, verbose, allowHost: allowHosts, cors: origins } = flags;
    const service = await Service.start(engine, { host, port, apiKey, allowHosts, origins, verbose, write: say });
    process.stdout.write(`performers serves ${served.name} at ${service.url}/v1 on ${backend.description}\n`);
    if (apiKey === undefined && !isLoopback(host))
      say('performers: anyone who reaches this port may use it; --api-key asks for a key.');
    if (!signal.aborted) await once(signal, 'abort');
    say('performers: no new requests; those at work are finished. Press Ctrl-C again to end at once.');
    if (!(await service.stop(flags.grace))) process.exitCode = 1;
  } finally {
    backend.close();
  }
}

/** A checkpoint of a run goes by the run's name. */
function nameOf(directory: string): string {
  const parent = dirname(directory);
  return basename(parent) === 'checkpoints' ? basename(dirname(parent)) : basename(directory);
}
