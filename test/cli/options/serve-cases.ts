/** The options of `performers serve`, over real sockets. */
import { connect, createServer } from 'node:net';
import { expect } from 'vitest';
import type { CommandCases, Seen } from './case.ts';
import { at, runCommand } from './in-process.ts';

interface Answer {
  readonly status: number;
  readonly body: Seen;
}

/** What is asked of a server while it runs. */
type Questions = (url: string, printed: () => string) => Promise<Seen>;

const post = async (url: string, body: object, headers: Record<string, string> = {}): Promise<Answer> => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json().catch(() => ({}))) as Seen };
};
const complete = (url: string, body: object = {}, headers = {}) =>
  post(`${url}/completions`, { prompt: 'a whale', max_tokens: 2, ...body }, headers);
const models = async (url: string): Promise<Seen> => {
  const answer = await fetch(`${url}/models`);
  return { status: answer.status, body: await answer.json() };
};
/** A request that keeps a place for as long as the server lets it. */
const long = { prompt: 'a', max_tokens: 4000, temperature: 1 };

/** Serves, asks, ends, and tells all of it. */
const serving =
  (questions: Questions) =>
  async (args: readonly string[]): Promise<Seen> => {
    let answered: Promise<Seen> | undefined;
    let everything = '';
    let seconds = 0;
    const ran = await runCommand(args, (printed, interrupt) => {
      everything = printed;
      const url = /at (http\S+) on /.exec(printed)?.[1];
      if (url === undefined || answered) return;
      answered = questions(url, () => everything).finally(() => {
        const start = performance.now();
        answered?.finally(() => {
          seconds = (performance.now() - start) / 1000;
        });
        interrupt('SIGTERM');
      });
    });
    return { ...ran, seconds, printed: ran.stdout + ran.stderr, ...(await answered?.catch((error) => ({ error }))) };
  };

/** The status of a second request while a first one is at work. */
const beside = async (url: string): Promise<Seen> => {
  const first = new AbortController();
  const body = JSON.stringify({ ...long, stream: true });
  const headers = { 'content-type': 'application/json' };
  const streaming = await fetch(`${url}/completions`, { method: 'POST', headers, body, signal: first.signal });
  const reader = streaming.body!.getReader();
  await reader.read();
  // Answered, or in the queue.
  let status = 0;
  const asked = complete(url).then((answer) => {
    status = answer.status;
  });
  while (status === 0 && (await health(url)).queued === 0) await waited(5);
  const found = status;
  first.abort();
  await reader.read().catch(() => {});
  await asked.catch(() => {});
  return { status: found };
};

const waited = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const health = async (url: string): Promise<{ active: number; queued: number }> =>
  (await fetch(url.replace('/v1', '/health'))).json();

/** How many tokens a session holds when it is asked again. */
const session = async (url: string, between: () => Promise<unknown>): Promise<Seen> => {
  await complete(url, { session: 'one' });
  await between();
  // A session that was dropped holds nothing to continue with.
  return { status: (await complete(url, { session: 'one', prompt: '' })).status };
};

const halfSent = (url: string): Promise<Seen> => {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ answer: answer.split('\r\n')[0] });
    };
    const timer = setTimeout(end, 5000);
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('close', end).on('error', end);
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
  });
};

/** A request that is at work when the server is told to end. */
const atWork = async (url: string): Promise<Seen> => {
  void complete(url, { ...long, max_tokens: 4000 }).catch(() => {});
  while ((await health(url)).active === 0) await waited(1);
  return {};
};

const freePort = await new Promise<number>((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number };
    server.close(() => resolve(port));
  });
});

export function serveCases(): CommandCases {
  const base = ['serve', '--model', at('favor'), '--port', '0'];
  const hasStatus =
    (status: number) =>
    ({ status: found }: Seen) =>
      expect(found).toBe(status);
  return {
    base,
    observe: serving(models),
    options: {
      '--model': {
        args: ['--model', at('exact')],
        check: ({ body }) => expect(body.data[0].id).toBe('exact'),
        resolved: ['name', 'exact'],
      },
      '--host': {
        args: ['--host', '0.0.0.0'],
        check: ({ printed }) => expect(printed).toContain(' at http://0.0.0.0:'),
        resolved: ['host', '0.0.0.0'],
      },
      '--port': {
        args: ['--port', `${freePort}`],
        check: ({ printed }) => expect(printed).toContain(`:${freePort}/v1`),
        resolved: ['port', freePort],
      },
      '--name': {
        args: ['--name', 'whale'],
        check: ({ body }) => expect(body.data[0].id).toBe('whale'),
        resolved: ['name', 'whale'],
      },
      '--api-key': { args: ['--api-key', 'secret'], check: hasStatus(401), resolved: ['asksForKey', true] },
      '--allow-host': {
        args: ['--allow-host', 'whale.example'],
        observe: serving(async (url) => ({ answer: await answerTo(url, 'Host: whale.example') })),
        check: ({ answer }) => expect(answer).toMatch(/^HTTP\/1.1 200/),
        resolved: ['allowHost', ['whale.example']],
      },
      '--cors': {
        args: ['--cors', 'https://whale.example'],
        observe: serving(async (url) => ({
          answer: await answerTo(url, 'Host: localhost\r\nOrigin: https://whale.example'),
        })),
        check: ({ answer }) =>
          expect(answer.toLowerCase()).toContain('access-control-allow-origin: https://whale.example'),
        resolved: ['cors', ['https://whale.example']],
      },
      '--max-tokens': {
        args: ['--max-tokens', '5'],
        observe: serving((url) => complete(url) as Promise<Seen>),
        check: hasStatus(400),
        resolved: ['maxTokens', 5],
      },
      '--max-body': {
        args: ['--max-body', '20'],
        observe: serving((url) => complete(url) as Promise<Seen>),
        check: hasStatus(413),
        resolved: ['maxBody', 20],
      },
      '--concurrency': {
        args: ['--concurrency', '1'],
        observe: serving((url) => complete(url, { n: 2 }) as Promise<Seen>),
        check: hasStatus(400),
        resolved: ['concurrency', 1],
      },
      '--queue': {
        args: ['--queue', '0'],
        beside: ['--concurrency', '1'],
        observe: serving(beside),
        check: hasStatus(429),
        resolved: ['queue', 0],
      },
      '--timeout': {
        args: ['--timeout', '0.01'],
        observe: serving((url) => complete(url, { ...long, max_tokens: 3000 }) as Promise<Seen>),
        check: ({ status }) => expect(status).toBeGreaterThanOrEqual(408),
        resolved: ['timeout', 0.01],
      },
      '--receive-timeout': {
        args: ['--receive-timeout', '0.2'],
        observe: serving(halfSent),
        check: ({ answer }) => expect(answer).toContain('408'),
        resolved: ['receiveTimeout', 0.2],
      },
      '--sessions': {
        args: ['--sessions', '1'],
        observe: serving((url) => session(url, () => complete(url, { session: 'two' }))),
        check: hasStatus(400),
        resolved: ['sessions', 1],
      },
      '--session-idle': {
        args: ['--session-idle', '0.05'],
        observe: serving((url) => session(url, () => waited(200))),
        check: hasStatus(400),
        resolved: ['sessionIdle', 0.05],
      },
      '--grace': {
        args: ['--grace', '0.01'],
        observe: serving(atWork),
        check: ({ exitCode }) => expect(exitCode).toBe(1),
        resolved: ['grace', 0.01],
      },
      '--verbose': {
        args: ['--verbose'],
        check: ({ stderr }) => expect(stderr).toContain('/v1/models'),
        resolved: ['verbose', true],
      },
      '--json': {
        args: ['--json'],
        only: [...base, '--dry-run'],
        check: ({ stdout }) => expect(JSON.parse(stdout).command).toBe('serve'),
      },
    },
  };
}

/** All that the server answers to GET /v1/models with these header fields. */
function answerTo(url: string, fields: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
    socket.write(`GET /v1/models HTTP/1.1\r\n${fields}\r\nConnection: close\r\n\r\n`);
  });
}
