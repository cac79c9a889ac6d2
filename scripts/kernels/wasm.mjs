// Builds the WebAssembly files from the same kernels: {simd128, relaxed SIMD} × {one thread, threads} × {all kernels, those
// for inference}.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  hash,
  hashFiles,
  inParallel,
  isFresh,
  listFiles,
  markFresh,
  readText,
  replaceFile,
  root,
  withHeaders,
} from '../build-tools.mjs';

// The kernels are compiled once per kind with atomics allowed; only the binding differs between one thread and several.
const KINDS = { simd128: ['-msimd128'], relaxed: ['-msimd128', '-mrelaxed-simd'] };
const FLAGS = [
  '--target=wasm32-unknown-unknown',
  '-I.',
  '-O3',
  '-std=c++20',
  '-mbulk-memory',
  '-ffreestanding',
  '-nostdinc++',
  '-ffp-contract=fast',
  '-fno-trapping-math',
  '-fno-math-errno',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-threadsafe-statics',
  '-Wall',
  '-Wextra',
];
/** Kernels that few pages call: smaller code, which is slower. */
const SMALL = /\/(near-mass|lsh-\w+(-\w+)?|strided)\.cc$/;
const ATOMICS = ['-matomics'];
const LINK_FLAGS = [
  '--target=wasm32-unknown-unknown',
  '-nostdlib',
  '-Wl,--no-entry,--import-memory,--initial-memory=2097152,-z,stack-size=1048576,--stack-first',
  '-Wl,--export=__heap_base,--export=__stack_pointer,--strip-all',
];
const SHARED_FLAGS = ['-Wl,--shared-memory,--max-memory=4294967296'];

/** Builds what has changed; returns what was done in a few words, or undefined. @param doing is told each file */
export async function buildWasm(doing = () => {}) {
  const headerPaths = listFiles('kernels', /\.h$/);
  const compiler = readText('node_modules/@yowasp/clang/package.json');
  const sources = listFiles('kernels', /\.cc$/).filter((path) => path !== 'kernels/bindings/node.cc');

  const objects = [];
  const outputs = [];
  for (const [kind, kindFlags] of Object.entries(KINDS)) {
    const compile = (source, suffix = '', more = []) => {
      const smaller = SMALL.test(source) ? ['-Oz'] : [];
      const flags = [...FLAGS, ...smaller, ...kindFlags, ...more, `-DKERNELS_NAMESPACE=${kind}`];
      const name = source.slice('kernels/'.length);
      const path = `build/wasm/${kind}/${name.replaceAll('/', '-')}${suffix}.o`;
      objects.push({ source: name, path, flags, key: hash(compiler, flags.join(' '), hashFiles(withHeaders(source))) });
      return objects.at(-1);
    };
    const [binding, table] = ['kernels/bindings/wasm.cc', 'kernels/table.cc'];
    const kernels = sources
      .filter((source) => source !== binding && source !== table)
      .map((source) => compile(source, '', ATOMICS));
    const bindings = { '': compile(binding, '.single'), '-threads': compile(binding, '', ATOMICS) };
    const tables = {
      '': compile(table, '', ATOMICS),
      '-inference': compile(table, '.inference', [...ATOMICS, '-DINFERENCE_ONLY']),
    };
    for (const [purpose, ownTable] of Object.entries(tables)) {
      for (const [threads, ownBinding] of Object.entries(bindings)) {
        const parts = [...kernels, ownTable, ownBinding];
        const flags = [...LINK_FLAGS, ...(threads ? SHARED_FLAGS : [])];
        const path = `dist/kernels/kernels${purpose}${kind === 'relaxed' ? '-relaxed' : ''}${threads}.wasm`;
        outputs.push({ path, parts, flags, key: hash(flags.join(' '), ...parts.map((part) => part.key)) });
      }
    }
  }

  const staleObjects = objects.filter(({ path, key }) => !isFresh(path, key));
  const staleOutputs = outputs.filter(({ path, key }) => !isFresh(path, key));
  if (staleObjects.length === 0 && staleOutputs.length === 0) return undefined;

  const files = toTree(sources.concat(headerPaths));
  const clang = startClang(Math.min(availableParallelism(), Math.max(staleObjects.length, 1)));
  try {
    await inParallel(staleObjects, async ({ source, path, flags, key }, index) => {
      doing(`clang ${source}`, index, staleObjects.length);
      const bytes = await clang.run([...flags, '-c', source, '-o', 'output.o'], files, 'output.o');
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), bytes);
      markFresh(path, key);
    });
    await inParallel(staleOutputs, async ({ path, parts, flags, key }) => {
      const inputs = parts.map((part, i) => [`${i}.o`, new Uint8Array(readFileSync(join(root, part.path)))]);
      const args = [...flags, ...inputs.map(([name]) => name), '-o', 'output.wasm'];
      replaceFile(path, await clang.run(args, Object.fromEntries(inputs), 'output.wasm'));
      markFresh(path, key);
    });
  } finally {
    await clang.stop();
  }
  return `${staleObjects.length} of ${objects.length} files compiled for ${Object.keys(KINDS).join(', ')}`;
}

/** Files below kernels/ as the nested object that @yowasp/clang takes. */
function toTree(paths) {
  const tree = {};
  for (const path of paths) {
    const folders = path.split('/').slice(1, -1);
    const folder = folders.reduce((node, name) => {
      node[name] ??= {};
      return node[name];
    }, tree);
    folder[path.split('/').at(-1)] = readText(path);
  }
  return tree;
}

/** Compilers in worker threads, each taking one job at a time. */
function startClang(numWorkers) {
  const pending = new Map();
  const idle = [];
  const waiting = [];
  let lastId = 0;
  const workers = Array.from({ length: numWorkers }, () => {
    // Its standard output is only about loading the compiler.
    const worker = new Worker(new URL('./clang-worker.mjs', import.meta.url), { stdout: true });
    worker.on('message', ({ id, bytes, error, diagnostics }) => {
      const { resolve, reject } = pending.get(id);
      pending.delete(id);
      if (diagnostics) process.stderr.write(diagnostics);
      if (error === undefined && bytes) resolve(bytes);
      else reject(new Error(`The WebAssembly kernels do not compile:\n${error ?? diagnostics}`));
      const next = waiting.shift();
      if (next) next(worker);
      else idle.push(worker);
    });
    worker.on('error', (error) => {
      for (const { reject } of pending.values()) reject(error);
    });
    idle.push(worker);
    return worker;
  });
  return {
    async run(args, files, output) {
      const worker = idle.pop() ?? (await new Promise((resolve) => waiting.push(resolve)));
      return new Promise((resolve, reject) => {
        const id = ++lastId;
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, args, files, output });
      });
    },
    stop: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}
