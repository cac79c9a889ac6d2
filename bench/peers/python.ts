/**
 * Engines of Python as peers: one process for each. A process speaks JSON over its standard input and output (the
 * protocol is in python/worker.py) and is given arrays in files. The bench takes the times as for every other engine,
 * so that rounds interleave. A request and its answer cost some 0.1 ms beside the work.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { reasonOf } from '../measure.ts';
import { benchFolder } from './install.ts';
import type { AttentionProblem, Peer, PeerRun, ProductProblem } from './peer.ts';

/** One file of bench/peers/python/. */
export interface PythonEngine {
  readonly name: string;
  /** Path of the file. */
  readonly file: string;
  /** What `pip install` takes for it. */
  readonly packages: string;
}

const folder = join(benchFolder, 'peers/python');

export const pythonEngines: readonly PythonEngine[] = [
  { name: 'PyTorch', file: join(folder, 'torch_engine.py'), packages: 'torch performer-pytorch setuptools' },
  { name: 'JAX', file: join(folder, 'jax_engine.py'), packages: 'jax' },
];

/** The interpreter and its arguments: PERFORMERS_PYTHON if set, else `python3` (on Windows `python`). */
export function pythonCommand(): readonly string[] {
  return [process.env.PERFORMERS_PYTHON || (process.platform === 'win32' ? 'python' : 'python3')];
}

const greetingSchema = z.object({ name: z.string(), version: z.string(), threads: z.int().min(1) });
const startedSchema = z.object({ runs: z.array(z.object({ id: z.int(), form: z.string() })) });
const errorSchema = z.object({ error: z.string() });

type Arrays = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** A Python process that runs one engine. Requests are answered in turn. */
class PythonProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'performers-bench-'));
  readonly #ended: Promise<string>;
  #complaint = '';
  #files = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor([interpreter, ...args]: readonly string[], engine: PythonEngine, numThreads: number) {
    const environment = { ...process.env, OMP_NUM_THREADS: String(numThreads), PYTHONDONTWRITEBYTECODE: '1' };
    const child = spawn(interpreter, [...args, join(folder, 'worker.py'), engine.file, String(numThreads)], {
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-2000);
    });
    child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code === 'ENOENT' ? `${interpreter} was not found` : error.message);
      });
      child.on('close', (code, signal) => {
        const last = this.#complaint.trim().split('\n').at(-1);
        resolve(`the Python process ended (${signal ?? `exit code ${code}`})${last ? `: ${last}` : ''}`);
      });
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line, as the schema has it. @throws what the process complains of, or that it ended. */
  async receive<T>(schema: z.ZodType<T>): Promise<T> {
    const next = await this.#lines.next();
    if (next.done) throw new Error(await this.#ended);
    let answer: unknown;
    try {
      answer = JSON.parse(next.value);
    } catch {
      throw new Error(`its process answered no JSON: ${next.value.slice(0, 80)}`);
    }
    const failure = errorSchema.safeParse(answer);
    if (failure.success) throw new Error(failure.data.error);
    return schema.parse(answer);
  }

  request<T>(message: Readonly<Record<string, unknown>>, schema: z.ZodType<T>): Promise<T> {
    const answer = this.#turn.then(() => {
      this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
      return this.receive(schema);
    });
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async start(operation: string, problem: object, arrays: Arrays): Promise<PeerRun[]> {
    const inputs = this.#file();
    writeFileSync(inputs, Buffer.concat(Object.values(arrays).map((array) => Buffer.from(array.buffer))));
    const lengths = Object.entries(arrays).map(([name, array]) => [name, array.length]);
    const { runs } = await this.request({ do: 'start', operation, problem, inputs, arrays: lengths }, startedSchema);
    rmSync(inputs);
    return runs.map(({ id, form }) => ({
      form,
      run: async () => void (await this.request({ do: 'run', id }, z.object({}))),
      read: async () => {
        const path = this.#file();
        await this.request({ do: 'read', id, path }, z.object({}));
        const { buffer } = new Uint8Array(readFileSync(path));
        rmSync(path);
        return new Float32Array(buffer);
      },
      release: async () => void (await this.request({ do: 'release', id }, z.object({}))),
    }));
  }

  #file(): string {
    return join(this.#folder, String(this.#files++));
  }

  /** The process ends with its standard input. */
  close(): void {
    this.#child.stdin?.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export interface PythonPeers {
  readonly peers: readonly Peer[];
  /** What is missing, and how to get it: one line for each engine. */
  readonly missing: readonly string[];
  close(): void;
}

/** Starts a process for each engine; those that Python cannot load become lines of `missing`. */
export async function startPython(
  numThreads: number,
  command = pythonCommand(),
  engines = pythonEngines,
): Promise<PythonPeers> {
  const peers: Peer[] = [];
  const missing: string[] = [];
  const processes: PythonProcess[] = [];
  for (const engine of engines) {
    const python = new PythonProcess(command, engine, numThreads);
    try {
      const { name, version, threads } = await python.receive(greetingSchema);
      processes.push(python);
      peers.push(pythonPeer(python, `${name} ${version}`, threads));
    } catch (error) {
      python.close();
      const install = `${command.join(' ')} -m pip install ${engine.packages}`;
      missing.push(
        `${engine.name}: not measured: ${reasonOf(error)}. Set PERFORMERS_PYTHON to a Python after \`${install}\`.`,
      );
    }
  }
  return {
    peers,
    missing,
    close: () => {
      for (const python of processes) python.close();
    },
  };
}

function pythonPeer(python: PythonProcess, name: string, threads: number): Peer {
  const attention = (operation: string) => (problem: AttentionProblem) => {
    const { q, k, v, projection, ...sizes } = problem;
    return python.start(operation, sizes, { q, k, v, projection });
  };
  return {
    name,
    runsOn: 'native',
    threads: () => threads,
    async gemm({ a, b, ...sizes }: ProductProblem) {
      if (sizes.m === 1) throw new Error('asking its process takes longer than a product with one row');
      return python.start('gemm', sizes, { a, b });
    },
    favor: attention('favor'),
    exact: attention('exact'),
  };
}
