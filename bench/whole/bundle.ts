/** What a browser fetches for a page that uses the package through a bundler. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { BenchmarkCase, Measurement } from '../case.ts';

/** Pages; those for inference fetch fewer kernels. */
const PAGES = {
  'FAVOR+ page': `
    import { createBackend, favorAttention, tensor } from 'performers';
    const backend = await createBackend({ purpose: 'inference' });
    const inputs = [1, 2, 3].map(() => tensor(backend, new Float32Array(4096 * 64).map(Math.random), [1, 1, 4096, 64]));
    console.log(await favorAttention(...inputs, { causal: true }).data());`,
  'page that trains and writes': `
    import { createBackend, streamText, Transformer } from 'performers';
    import { fromTexts, trainingWindows } from 'performers/data';
    import { ByteTokenizer } from 'performers/tokenizers';
    import { parseTrainingConfiguration, Trainer } from 'performers/training';
    const backend = await createBackend();
    const tokenizer = new ByteTokenizer();
    const store = await fromTexts([document.body.textContent], tokenizer, { by: 'none' });
    const model = new Transformer(backend, { vocabSize: tokenizer.vocabSize, numLayers: 2 });
    const configuration = parseTrainingConfiguration({ steps: 100 });
    const { batchSize, length, seed } = configuration;
    const data = trainingWindows(store.train, { batchSize, length, seed });
    const trainer = new Trainer({ model, configuration, data });
    for (let step = 0; step < 100; step++) console.log(await trainer.step());
    for await (const text of streamText(model, tokenizer, 'Once')) console.log(text);`,
  'whole library': ['', '/data', '/tokenizers', '/training', '/pretrained', '/onnx', '/inspect']
    .map((entry) => `export * from 'performers${entry}';`)
    .join('\n'),
};
const VARIANTS = ['', '-relaxed', '-threads', '-relaxed-threads'];

const inDist = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const compressed = (bytes: string | Uint8Array): number => gzipSync(bytes, { level: 9 }).length;

/** A page's JavaScript as a bundler's user gets it, minified: what it loads at its start, so without the reference backend. */
async function bundlePage(source: string): Promise<string> {
  const { rolldown } = await import('rolldown');
  const page = await rolldown({
    input: 'page',
    platform: 'browser',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => {
          if (id === 'page') return '\0page';
          const found = /^performers(?:\/(.+))?$/.exec(id);
          return found ? inDist(`./${found[1] ?? 'index'}.js`) : undefined;
        },
        load: (id) => (id === '\0page' ? source : undefined),
      },
    ],
  });
  const { output } = await page.generate({ format: 'esm', minify: true });
  await page.close();
  const chunks = new Map(output.flatMap((part) => (part.type === 'chunk' ? [[part.fileName, part] as const] : [])));
  const loaded = new Set(
    output.filter((part) => part.type === 'chunk' && part.isEntry).map(({ fileName }) => fileName),
  );
  for (const fileName of loaded) for (const imported of chunks.get(fileName)?.imports ?? []) loaded.add(imported);
  return [...loaded].map((fileName) => chunks.get(fileName)?.code ?? '').join('');
}

async function sizes(): Promise<Measurement[]> {
  const kilobytes = (label: string, bytes: number): Measurement => ({ label, value: bytes / 1000, unit: 'kB gzip' });
  // A browser fetches one of the four.
  const largest = (kernels: string) =>
    Math.max(...VARIANTS.map((variant) => compressed(readFileSync(inDist(`./kernels/${kernels}${variant}.wasm`)))));
  const [all, inference] = [largest('kernels'), largest('kernels-inference')];
  const worker = compressed(readFileSync(inDist('./kernels/worker.js')));
  const found = [
    kilobytes('WebAssembly, the largest of four files', all),
    kilobytes('WebAssembly for inference, the largest of four files', inference),
    kilobytes("threads' script", worker),
  ];
  for (const [name, source] of Object.entries(PAGES)) {
    const script = compressed(await bundlePage(source));
    found.push(kilobytes(`${name}, JavaScript`, script));
    found.push(
      kilobytes(
        `${name}, all (wanted: at most 150)`,
        script + worker + (source.includes("'inference'") ? inference : all),
      ),
    );
  }
  return found;
}

export const bundle: BenchmarkCase = {
  name: 'bundle',
  description: 'what a browser fetches: minified JavaScript, one WebAssembly file, gzip -9',
  check: async () => [],
  prepare: async () => ({ subjects: [], summarise: sizes, release: () => {} }),
};
