/** The browser entry point for real: headless Chromium loads dist/index.js and must get Node's numbers. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBackend } from '../../src/entries/performers.ts';
import { causalFavor, type Result } from './causal-favor.ts';
import { generation, type Liveliness } from './generation.ts';
import { type Site, serve } from './server.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
if (!executablePath) console.warn('skipped: the browser test needs Chromium (Debian: apt-get install chromium)');

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(!executablePath)('dist/index.js in Chromium', () => {
  let browser: Browser;
  const sites: Site[] = [];
  let expected: { reference: number[]; wasm: number[] };

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: FLAGS });
    const { out: reference } = await causalFavor(createBackend, { backend: 'reference' });
    const { out: wasm } = await causalFavor(createBackend, { backend: 'wasm', numThreads: 1 });
    expected = { reference, wasm };
  });

  afterAll(async () => {
    await browser?.close();
    for (const site of sites) await site.close();
  });

  /** Evaluates `call`, which takes the library as `m`, in a new page. */
  async function inPage<T>(isolated: boolean, call: string): Promise<{ result: T; requests: string[] }> {
    const site = await serve(isolated);
    sites.push(site);
    const page = await browser.newPage();
    await page.goto(`${site.url}/page`);
    const result = (await page.evaluate(`import('/dist/index.js').then((m) => ${call})`)) as T;
    await page.close();
    return { result, requests: site.requests };
  }

  const attention = (isolated: boolean, options: object) =>
    inPage<Result>(isolated, `(${causalFavor})(m.createBackend, ${JSON.stringify(options)})`);

  function expectNodesNumbers(out: number[]): void {
    const size = Math.max(...expected.reference.map(Math.abs));
    expect(out).toHaveLength(expected.reference.length);
    for (const numbers of [expected.reference, expected.wasm]) {
      const error = Math.max(...out.map((value, i) => Math.abs(value - numbers[i]))) / size;
      expect(error).toBeLessThan(1e-5);
    }
  }

  it('computes causal FAVOR+ without cross-origin isolation, on one thread', async () => {
    const { result, requests } = await attention(false, { numThreads: 2 });
    expect(result.isolated).toBe(false);
    expect(result.description).toMatch(/^wasm \w+, 1 thread$/);
    expect(requests.some((path) => /kernels(-relaxed)?\.wasm$/.test(path))).toBe(true);
    expectNodesNumbers(result.out);
  });

  it('computes it with threads where the page is isolated, and no differently', async () => {
    const { result, requests } = await attention(true, { numThreads: 2 });
    expect(result.isolated).toBe(true);
    expect(result.description).toMatch(/^wasm \w+, 2 threads$/);
    expect(requests.some((path) => path.endsWith('-threads.wasm'))).toBe(true);
    expect(requests).toContain('/dist/kernels/worker.js');
    expectNodesNumbers(result.out);
    const single = await attention(true, { numThreads: 1 });
    expect(result.out).toEqual(single.result.out);
  });

  it('computes it with threads in an isolated page that loads the library from another site', async () => {
    const [site, network] = [await serve(true), await serve(true, true)];
    sites.push(site, network);
    const page = await browser.newPage();
    await page.goto(`${site.url}/page`);
    const create = `import('${network.url}/dist/index.js').then((m) => m.createBackend({ numThreads: 2 }))`;
    const description = await page.evaluate(`${create}.then((made) => (globalThis.backend = made).description)`);
    expect(description).toMatch(/^wasm \w+, 2 threads$/);
    await vi.waitFor(() => expect(network.requests).toContain('/dist/kernels/worker.js'), 60_000);
    await page.close();
  });

  it('computes on one thread where no worker may be started', async () => {
    const refusing = 'globalThis.Worker = class { constructor() { throw new DOMException("no", "SecurityError"); } }';
    const call = `{ ${refusing}; return (${causalFavor})(m.createBackend, { numThreads: 2 }); }`;
    const { result } = await inPage<Result>(true, call);
    expect(result.description).toMatch(/^wasm \w+, 1 thread$/);
    expectNodesNumbers(result.out);
  });

  it('takes kernels from the folder that a page names', async () => {
    const call = `(${causalFavor})(m.createBackend, { numThreads: 2, kernels: 'dist/kernels' })`;
    const { result, requests } = await inPage<Result>(true, call);
    expect(result.description).toMatch(/^wasm \w+, 2 threads$/);
    expect(requests).toContain('/dist/kernels/worker.js');
    expectNodesNumbers(result.out);
  });

  it('draws frames and fires timers while it generates', async () => {
    const { result } = await inPage<Liveliness>(false, `(${generation})(m, { numThreads: 1 })`);
    expect(result.description).toMatch(/^wasm \w+, 1 thread$/);
    // Ends at three of each, long before the last of 1,000 tokens.
    expect(result.frames).toBeGreaterThanOrEqual(3);
    expect(result.timers).toBeGreaterThanOrEqual(3);
    expect(result.tokens).toBeLessThan(1000);
  });

  it('says that native is not for browsers', async () => {
    await expect(attention(false, { backend: 'native' })).rejects.toThrow(/native backend runs in Node only/);
  });
});
