// Builds the native kernels with AddressSanitizer and UndefinedBehaviorSanitizer and runs the conformance table on them, every
// instruction set that this processor has. The first finding ends the run. Arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, step } from './build-tools.mjs';
import { buildNative, findCompiler, isClang, sanitizedAddonPath } from './kernels/native.mjs';

/**
 * The sanitizers' library, which must be in the process before the addon. Undefined if the compiler has no sanitizers.
 */
function sanitizerLibrary(compiler) {
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  const names = isClang(compiler)
    ? ['libclang_rt.asan_osx_dynamic.dylib', `libclang_rt.asan-${architecture}.so`, 'libclang_rt.asan.so']
    : ['libasan.so'];
  return names
    .map((name) => spawnSync(compiler.program, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim())
    .find((path) => path.includes('/') && existsSync(path));
}

const compiler = process.platform === 'win32' ? undefined : findCompiler();
const library = compiler && sanitizerLibrary(compiler);
if (!library) {
  process.stderr.write(
    'test:sanitize needs g++ or clang++ with sanitizers: install g++ (on Debian: apt install g++), or set CXX to a compiler that has them.\n',
  );
  process.exit(1);
}
await step('sanitized kernels', false, () => buildNative({ sanitize: true }));
const files = ['native', 'native-avx2', 'native-sse2', 'favor-properties'].map(
  (name) => `test/conformance/${name}.test.ts`,
);
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', ...files, '--testTimeout=600000', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PERFORMERS_KERNELS: join(root, dirname(sanitizedAddonPath)),
      [process.platform === 'darwin' ? 'DYLD_INSERT_LIBRARIES' : 'LD_PRELOAD']: library,
      // Node itself leaves memory to the end of the process; a kernel's memory is given to the kernel, so leaks say
      // nothing.
      ASAN_OPTIONS: 'detect_leaks=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  },
);
process.exit(status ?? 1);
