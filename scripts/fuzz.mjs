// Bundles test/fuzz/ into build/test/fuzz/ and runs it: `npm run fuzz -- --help`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Rolldown } from 'tsdown';
import { root } from './build-tools.mjs';

/** As deep as src/backend/native/: the kernels are looked for from there. */
export const program = join(root, 'build/test/fuzz');

/** Bundles the program and the process that it starts, so that plain Node runs them. */
export async function bundleFuzz() {
  await Rolldown.build({
    input: Object.fromEntries(['main', 'child'].map((name) => [name, join(root, `test/fuzz/${name}.ts`)])),
    platform: 'node',
    external: /^[a-z@]/,
    // Modules in one file would be run when first asked for, and some that the package's entries pass on never are.
    output: { dir: program, entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs', sourcemap: true },
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await bundleFuzz();
  const child = spawn(process.execPath, [join(program, 'main.mjs'), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  // Ctrl-C goes to the whole group; the child prints its counts and ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('close', (code) => process.exit(code ?? 1));
}
