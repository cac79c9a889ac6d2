// Builds the native addon: every kernel once per instruction set of this architecture, and the Node-API shim.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  hash,
  hashFiles,
  inParallel,
  isFresh,
  listFiles,
  markFresh,
  root,
  runProgram,
  withHeaders,
} from '../build-tools.mjs';

const KERNEL_FLAGS = [
  '-O3',
  '-Ikernels',
  '-std=c++20',
  '-fPIC',
  '-fvisibility=hidden',
  // Not -ffast-math: rounding by a magic constant and infinities must survive.
  '-ffp-contract=fast',
  '-fno-trapping-math',
  '-fno-math-errno',
  '-fno-exceptions',
  '-fno-rtti',
  '-Wall',
  '-Wextra',
];
const BINDING_FLAGS = [
  '-Ikernels',
  '-O2',
  '-std=c++20',
  '-fPIC',
  '-fvisibility=hidden',
  '-pthread',
  '-Wall',
  '-Wextra',
];

const INSTRUCTION_SETS = {
  x64: {
    avx512: ['-mavx512f', '-mavx512vl', '-mavx512dq', '-mavx512bw', '-mfma', '-mprefer-vector-width=512'],
    avx2: ['-mavx2', '-mfma'],
    sse2: [],
  },
  arm64: { neon: [] },
};

export const addonPath = `dist/kernels/performers-${process.platform}-${process.arch}.node`;
export const sanitizedAddonPath = `build/sanitize/performers-${process.platform}-${process.arch}.node`;

export const isClang = ({ version }) => /clang/i.test(version);

/** The first C++ compiler that answers: $CXX, else c++, g++ or clang++ on the PATH. CXX=none means no compiler. */
export function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const program of candidates) {
    const result = spawnSync(program, ['--version'], { encoding: 'utf8' });
    if (result.status === 0) return { program, version: result.stdout.split('\n')[0] };
  }
  return undefined;
}

/** The addon with AddressSanitizer and UndefinedBehaviorSanitizer, apart from the one in use. */
const SANITIZED_FOLDER = 'build/sanitize';
const SANITIZE_FLAGS = [
  '-O1',
  '-g1',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
  '-fno-omit-frame-pointer',
];

/** Builds what has changed; returns what was done in a few words, or undefined. @param doing is told each file */
export async function buildNative({ sanitize = false, doing = () => {} } = {}) {
  const sets = INSTRUCTION_SETS[process.arch];
  if (!sets || process.platform === 'win32') return undefined;
  const compiler = findCompiler();
  if (!compiler) return 'skipped: no C++ compiler found (install g++ or clang++, or set CXX); WebAssembly will be used';
  const extraFlags = sanitize ? SANITIZE_FLAGS : [];
  const output = sanitize ? sanitizedAddonPath : addonPath;
  const objectOf = (folder, source) =>
    `${sanitize ? SANITIZED_FOLDER : 'build/native'}/${folder}/${source.slice('kernels/'.length).replaceAll('/', '-')}.o`;

  const common = hash(compiler.version, hashFiles(['node_modules/node-api-headers/package.json']));
  const jobs = [];
  for (const [set, flags] of Object.entries(sets)) {
    for (const source of listFiles('kernels', /\.cc$/).filter((path) => !path.includes('/bindings/'))) {
      jobs.push({
        source,
        object: objectOf(set, source),
        flags: [...KERNEL_FLAGS, ...flags, ...extraFlags, `-DKERNELS_NAMESPACE=${set}`],
      });
    }
  }
  const binding = 'kernels/bindings/node.cc';
  const include = ['-isystem', 'node_modules/node-api-headers/include'];
  jobs.push({
    source: binding,
    object: objectOf('bindings', binding),
    flags: [...BINDING_FLAGS, ...extraFlags, ...include],
  });
  for (const job of jobs) job.key = hash(common, job.flags.join(' '), hashFiles(withHeaders(job.source)));

  const stale = jobs.filter((job) => !isFresh(job.object, job.key));
  await inParallel(stale, async ({ source, object, flags, key }, index) => {
    doing(`${compiler.program} ${source}`, index, stale.length);
    mkdirSync(dirname(join(root, object)), { recursive: true });
    const temporary = `${object}.${process.pid}.tmp`;
    await runProgram(compiler.program, [...flags, '-c', source, '-o', temporary]).catch((error) => {
      throw new Error(`${error.message}\nTry another compiler with CXX=…, or CXX=none to use the WebAssembly kernels.`);
    });
    renameSync(join(root, temporary), join(root, object));
    markFresh(object, key);
  });

  // Symbols are bound when the addon loads, so that a kernel that is described but not defined is an error below, not at its call.
  const linkFlags = [
    ...(process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-Wl,-z,now']),
    ...(sanitize ? [...SANITIZE_FLAGS, ...(isClang(compiler) ? ['-shared-libasan'] : [])] : []),
  ];
  const linkKey = hash(linkFlags.join(' '), ...jobs.map((job) => job.key));
  if (isFresh(output, linkKey)) return undefined;
  mkdirSync(dirname(join(root, output)), { recursive: true });
  const temporary = `${output}.${process.pid}.tmp`;
  await runProgram(compiler.program, [...linkFlags, '-pthread', ...jobs.map((job) => job.object), '-o', temporary]);
  // A sanitized addon loads only where the sanitizers are.
  if (!sanitize)
    await runProgram(process.execPath, [
      '-e',
      `process.dlopen({ exports: {} }, ${JSON.stringify(join(root, temporary))})`,
    ]);
  // Renamed into place: a process that has the old addon loaded keeps it.
  renameSync(join(root, temporary), join(root, output));
  markFresh(output, linkKey);
  return `${compiler.version}: ${stale.length} of ${jobs.length} files compiled for ${Object.keys(sets).join(', ')}`;
}
