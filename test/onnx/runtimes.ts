/** The two builds of onnxruntime behind one function. */
import * as web from 'onnxruntime-web';

/** An input: int64 from bigints, else float32. */
export interface Input {
  readonly data: BigInt64Array | Float32Array;
  readonly dims: readonly number[];
}

export interface Output {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

type Runtime = Pick<typeof web, 'InferenceSession' | 'Tensor'>;

export interface Session {
  run(inputs: Readonly<Record<string, Input>>): Promise<Record<string, Output>>;
  readonly inputNames: readonly string[];
  release(): Promise<void>;
}

/** Builds that this machine loads. onnxruntime-node has binaries for some systems only; the other runs everywhere. */
export async function loadRuntimes(): Promise<[name: string, runtime: Runtime][]> {
  // One thread, and no proxy worker: Node has neither of the browser's kind.
  web.env.wasm.numThreads = 1;
  const runtimes: [string, Runtime][] = [['onnxruntime-web', web]];
  try {
    runtimes.push(['onnxruntime-node', (await import('onnxruntime-node')) as unknown as Runtime]);
  } catch (error) {
    process.stderr.write(
      `Skipped: onnxruntime-node does not load here (${(error as Error).message.split('\n')[0]}).\n`,
    );
  }
  return runtimes;
}

/** @param data files beside the model, by name */
export async function openSession(
  runtime: Runtime,
  name: string,
  model: Uint8Array,
  data: ReadonlyMap<string, Uint8Array> = new Map(),
): Promise<Session> {
  const session = await runtime.InferenceSession.create(model, {
    executionProviders: [name === 'onnxruntime-web' ? 'wasm' : 'cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(data.size > 0 && { externalData: [...data].map(([path, bytes]) => ({ path, data: bytes })) }),
  });
  return {
    inputNames: session.inputNames,
    async run(inputs) {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([key, { data, dims }]) => [
          key,
          data instanceof BigInt64Array
            ? new runtime.Tensor('int64', data, dims)
            : new runtime.Tensor('float32', data, dims),
        ]),
      );
      const results = await session.run(feeds);
      return Object.fromEntries(
        Object.entries(results).map(([key, { data, dims }]) => [key, { data: data as Float32Array, dims }]),
      );
    },
    release: () => session.release(),
  };
}
