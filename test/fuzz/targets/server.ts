/** Bodies of requests to `performers serve`, over a socket. A request is a file: its path on the first line, then the body. */
import { createBackend, DataError } from '../../../src/entries/performers.ts';
import { createEngine, startService, tinyModel } from '../../cli/serve/support.ts';
import { bytes, text } from '../files.ts';
import { pick } from '../mutate-bytes.ts';
import { mutateJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const FILE = 'request';

const request = (path: string, body: object) => ({ [FILE]: bytes(`${path}\n${JSON.stringify(body)}`) });

const COMPLETIONS = '/v1/completions';
const EMBEDDINGS = '/v1/embeddings';

export const server: Target = {
  name: 'server',
  seeds: async () => [
    request(COMPLETIONS, { model: 'tiny', prompt: 'abc', max_tokens: 3, temperature: 0, stop: ['z'], logprobs: 2 }),
    request(COMPLETIONS, {
      prompt: [['a', 'b']].flat(),
      n: 2,
      top_p: 0.9,
      top_k: 3,
      seed: 1,
      echo: true,
      max_tokens: 2,
    }),
    request(COMPLETIONS, { prompt: [1, 2, 3], stream: true, stream_options: { include_usage: true }, max_tokens: 4 }),
    request(COMPLETIONS, { prompt: 'abc', session: 'one', session_tokens: 0, max_tokens: 2, user: 'u', suffix: null }),
    request(EMBEDDINGS, { input: ['abc', 'd'], encoding_format: 'base64' }),
    request(EMBEDDINGS, { model: 'tiny', input: [[1, 2], [3]], dimensions: 12, user: 'u' }),
  ],
  mutate(random, seed) {
    const [path, body] = text(seed[FILE]!).split('\n') as [string, string];
    const mutated = text(mutateJson(random, bytes(body)));
    const to = random.integer(20) === 0 ? pick(random, [COMPLETIONS, EMBEDDINGS]) : path;
    return { [FILE]: bytes(`${to}\n${mutated}`) };
  },
  async start() {
    const backend = await createBackend({ numThreads: 1 });
    const engine = createEngine(tinyModel(backend), { maxTokens: 64, timeout: 1, queue: 8, concurrency: 8 });
    const failures: string[] = [];
    const service = await startService(engine, { write: (line) => void failures.push(line) });
    return async (files) => {
      failures.length = 0;
      const content = text(files[FILE]!);
      const path = content.slice(0, content.indexOf('\n'));
      const body = content.slice(path.length + 1);
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(service.url + path, { method: 'POST', headers, body });
      const answer = await response.text();
      if (response.status >= 500) throw new Error(`${response.status}: ${answer} ${failures.join('\n')}`);
      const health = await fetch(`${service.url}/health`);
      if (!health.ok) throw new Error(`/health answers ${health.status} afterwards`);
      if (response.ok) return;
      const { error } = JSON.parse(answer) as { error: { message: unknown } };
      if (typeof error.message !== 'string') throw new Error(`${response.status} without a message: ${answer}`);
      throw new DataError(error.message);
    };
  },
};
