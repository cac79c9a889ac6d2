/** Kernels from elsewhere: `createBackend({ kernels })`. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Backend,
  type BackendOptions,
  createBackend,
  ops,
  scope,
  type Tensor,
  Transformer,
  type TransformerOptions,
  tensor,
  valueAndGradients,
} from '../../src/entries/performers.ts';
import { hasAddon } from './available.ts';
import { inNode } from './child.ts';

const built = join(import.meta.dirname, '../../dist/kernels');
const folder = mkdtempSync(join(tmpdir(), 'performers-kernels-'));
const bytes = () => readFileSync(join(built, 'kernels.wasm'));
const server = createServer(({ url = '' }, response) => {
  const [, name] = /^\/kernels\/([\w.-]+)/.exec(url) ?? [];
  if (name) response.end(readFileSync(join(built, name)));
  else response.writeHead(404).end();
});
let address: string;

beforeAll(async () => {
  cpSync(built, folder, { recursive: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

async function describeBackend(options: BackendOptions): Promise<string> {
  const backend = await createBackend(options);
  const length = 2 ** 17 + 3;
  const filled = backend.allocate(length);
  backend.fill(filled, 1.25);
  expect((await backend.read(filled)).every((each) => each === 1.25)).toBe(true);
  backend.close();
  return backend.description;
}

describe('kernels', () => {
  it.each([
    ['a path', () => folder],
    ['an address', () => pathToFileURL(folder)],
    ['an address of a server', () => `${address}/kernels/`],
  ])('of a folder, by %s', async (_, kernels) => {
    expect(await describeBackend({ kernels: kernels(), backend: 'wasm', numThreads: 2 })).toMatch(
      /^wasm \w+, 2 threads$/,
    );
  });

  it.skipIf(!hasAddon)('of a folder hold the addon too', async () => {
    expect(await describeBackend({ kernels: folder, numThreads: 2 })).toMatch(/^native /);
  });

  it('of one file compute with what the file has', async () => {
    const options = { numThreads: 2 };
    expect(await describeBackend({ ...options, kernels: new Uint8Array(bytes()) })).toBe('wasm simd128, 1 thread');
    expect(await describeBackend({ ...options, kernels: new Uint8Array(bytes()).buffer })).toMatch(
      /simd128, 1 thread$/,
    );
    expect(await describeBackend({ ...options, kernels: join(folder, 'kernels.wasm') })).toMatch(/simd128, 1 thread$/);
    expect(await describeBackend({ ...options, kernels: `${address}/kernels/kernels.wasm?v=1` })).toMatch(
      /, 1 thread$/,
    );
    const data = `data:application/wasm;base64,${bytes().toString('base64')}`;
    expect(await describeBackend({ ...options, kernels: data })).toMatch(/, 1 thread$/);
    const threads = pathToFileURL(join(folder, 'kernels-threads.wasm'));
    expect(await describeBackend({ ...options, kernels: threads })).toBe('wasm simd128, 2 threads');
  });

  it('that are not there, or are none, are refused in a sentence that says what to give', async () => {
    const wasm = (kernels: BackendOptions['kernels']) => createBackend({ kernels, backend: 'wasm', numThreads: 1 });
    await expect(wasm(tmpdir())).rejects.toThrow(
      /kernels(-relaxed)?\.wasm is not in .*: copy the files of dist\/kernels/,
    );
    await expect(wasm(`${address}/none/`)).rejects.toThrow(/could not be fetched from .*\(the answer was 404\)/);
    await expect(wasm(`${address}/none.wasm`)).rejects.toThrow(/could not be fetched from .*\(the answer was 404\)/);
    await expect(wasm(Uint8Array.of(1, 2, 3))).rejects.toThrow(/holds no kernels for this engine/);
    const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
    await expect(wasm(empty)).rejects.toThrow(/holds no kernels for this engine \(other WebAssembly\)/);
    await expect(wasm('')).rejects.toThrow(/kernels/);
    await expect(wasm(3 as never)).rejects.toThrow(/a URL, a path, or the bytes of a \.wasm file/);
    await expect(wasm(join(folder, 'none.wasm'))).rejects.toThrow(/none\.wasm cannot be read \(ENOENT\)/);
  });

  it('are refused where the backend has no use for them', async () => {
    await expect(createBackend({ kernels: folder, backend: 'reference' })).rejects.toThrow(/no compiled kernels/);
    const kernels = new Uint8Array(bytes());
    await expect(createBackend({ kernels, backend: 'native' })).rejects.toThrow(/one WebAssembly file: choose wasm/);
  });
});

describe('purpose: inference', () => {
  const sizes = { vocabSize: 11, dModel: 8, numLayers: 2, numHeads: 2, dFeedForward: 16, maxLength: 40 };
  const attentions: readonly Exclude<TransformerOptions['attention'], string | undefined>[] = [
    { type: 'exact' },
    { type: 'favor', numFeatures: 8 },
    { type: 'favor', numFeatures: 8, featureMap: 'relu' },
    { type: 'favor', numFeatures: 8, nearField: { block: 4, sinks: 1 } },
    { type: 'favor', numFeatures: 8, nearField: { block: 4, mass: 'features' } },
    { type: 'lsh' },
    { type: 'linformer', projectedLength: 5 },
  ];
  const threads = [1, 2];

  it.each(threads)('runs every model to the bit as all kernels do, on %d threads', async (numThreads) => {
    const options = { backend: 'wasm', numThreads } as const;
    const [small, whole] = [await createBackend({ ...options, purpose: 'inference' }), await createBackend(options)];
    const ids = Int32Array.from({ length: 40 }, (_, i) => (i * i + 3) % 11);
    for (const attention of attentions) {
      const causal = attention.type !== 'linformer';
      const run = async (backend: Backend) => {
        const model = new Transformer(backend, { ...sizes, attention, causal, positions: 'rotary' }, 1);
        const read = async (logits: Tensor) => [...(await logits.data())];
        const numbers = await read(scope(() => model.logits(model.forward(tensor(backend, ids, [1, 40])))));
        if (causal && attention.type !== 'lsh') {
          const states = model.createStates(1);
          for (const id of ids.subarray(0, 20)) {
            numbers.push(...(await read(scope(() => model.extend(tensor(backend, [id], [1, 1], 'int32'), states)))));
          }
          for (const state of states) state.dispose();
        }
        model.dispose();
        return numbers;
      };
      expect(await run(small), attention.type).toEqual(await run(whole));
    }
    small.close();
    whole.close();
  });

  it('says of a gradient and of a loss that its kernel is missing', async () => {
    const backend = await createBackend({ backend: 'wasm', numThreads: 1, purpose: 'inference' });
    const model = new Transformer(backend, { ...sizes, attention: { type: 'favor', numFeatures: 8 } }, 1);
    const ids = tensor(
      backend,
      Int32Array.from({ length: 8 }, (_, i) => i),
      [1, 8],
    );
    const inputs = [...model.parameters().values()];
    expect(() => scope(() => valueAndGradients(() => ops.sum(model.forward(ids)), inputs).value)).toThrow(
      /those for inference, without \w+_backward: create the backend without purpose: 'inference'/,
    );
    backend.close();
  });

  it('is a choice of files, which other backends do not make', async () => {
    const options = { purpose: 'inference', numThreads: 1 } as const;
    const whole = statSync(join(built, 'kernels.wasm')).size;
    expect(statSync(join(built, 'kernels-inference.wasm')).size).toBeLessThan(0.65 * whole);
    expect(await describeBackend({ ...options, backend: 'wasm', kernels: `${address}/kernels/` })).toMatch(/^wasm /);
    const reference = await createBackend({ ...options, backend: 'reference' });
    reference.close();
    const file = createBackend({ ...options, backend: 'wasm', kernels: new Uint8Array(bytes()) });
    await expect(file).rejects.toThrow(/leave out `purpose`, or give a folder/);
    const given = createBackend({ purpose: 'speed' as never });
    await expect(given).rejects.toThrow(/purpose/);
  });
});

describe('PERFORMERS_QUIET', () => {
  const empty = mkdtempSync(join(tmpdir(), 'performers-empty-'));
  afterAll(() => rmSync(empty, { recursive: true }));

  it('hides that WebAssembly takes the place of the addon', () => {
    for (const name of ['kernels', 'kernels-relaxed']) cpSync(join(built, `${name}.wasm`), join(empty, `${name}.wasm`));
    const written = `(() => { const { write } = process.stderr; const lines = []; process.stderr.write = (line) => lines.push(line);
      return performers.createBackend({ kernels: ${JSON.stringify(empty)}, numThreads: 1 }).then((other) => {
        process.stderr.write = write; other.close(); return other.name + lines.length; }); })()`;
    const options = { backend: 'wasm', numThreads: 1 };
    expect(inNode(options, `await ${written}`)).toBe('wasm1');
    expect(inNode(options, `await ${written}`, { PERFORMERS_QUIET: '1' })).toBe('wasm0');
  });
});
