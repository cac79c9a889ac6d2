/** Kernels from elsewhere: `createBackend({ kernels })`. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackendOptions, createBackend } from '../../src/entries/performers.ts';
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
