// A worker thread that runs the clang of @yowasp/clang (LLVM as WebAssembly: no system toolchain) on files in memory.
import { parentPort } from 'node:worker_threads';
import { runClang } from '@yowasp/clang';

parentPort.on('message', async ({ id, args, files, output }) => {
  let diagnostics = '';
  const collect = (bytes) => {
    if (bytes) diagnostics += Buffer.from(bytes).toString();
  };
  try {
    const tree = await runClang(['clang++', ...args], files, { stdout: collect, stderr: collect });
    parentPort.postMessage({ id, bytes: tree[output], diagnostics });
  } catch (error) {
    parentPort.postMessage({ id, error: diagnostics || String(error) });
  }
});
