/** A training process for tests to kill or to weigh. Its one argument is a JSON object: {@link ChildOptions}. */
import { writeFileSync } from 'node:fs';
import { nodeHost } from '../../src/backend/native/node-host.ts';
import { createBackendOn } from '../../src/backend/select.ts';
import type { BackendName } from '../../src/backend/types.ts';
import { type FileSystem, nodeFileSystem } from '../../src/storage/atomic-directory.ts';
import { restoreModel } from '../../src/storage/load.ts';
import { findCheckpoint } from '../../src/storage/model-directory.ts';
import { loadCheckpoint } from '../../src/training/checkpoint.ts';
import type { TrainingOptions } from '../../src/training/configuration.ts';
import { train } from '../../src/training/run.ts';
import { tinyRun } from './support.ts';

export interface ChildOptions {
  readonly out: string;
  readonly backend: BackendName;
  readonly numThreads: number;
  readonly configuration: TrainingOptions;
  /** The process kills itself with SIGKILL at this call to the file system, halfway through it if it writes. */
  readonly dieAtCall?: number;
  /** Print the resident size every so many steps. */
  readonly reportMemoryEvery?: number;
}

const options = JSON.parse(process.argv[2]!) as ChildOptions;

let calls = 0;
function mortal<A extends unknown[], R>(call: (...args: A) => R, half?: (...args: A) => void): (...args: A) => R {
  return (...args) => {
    if (calls++ !== options.dieAtCall) return call(...args);
    half?.(...args);
    process.kill(process.pid, 'SIGKILL');
    for (;;); // the signal arrives in its own time
  };
}
const fileSystem: FileSystem = {
  mkdir: mortal(nodeFileSystem.mkdir),
  writeFile: mortal(nodeFileSystem.writeFile, (path, data) => writeFileSync(path, data.slice(0, data.length / 2))),
  syncDirectory: mortal(nodeFileSystem.syncDirectory),
  rename: mortal(nodeFileSystem.rename),
  remove: mortal(nodeFileSystem.remove),
  list: mortal(nodeFileSystem.list),
};

const backend = await createBackendOn(nodeHost, { backend: options.backend, numThreads: options.numThreads });
const fresh = tinyRun(backend, options.out, options.configuration);
const directory = await findCheckpoint(options.out).catch(() => undefined);
const checkpoint = directory === undefined ? undefined : await loadCheckpoint(directory);
const run =
  checkpoint && directory
    ? { ...fresh, model: restoreModel(backend, checkpoint, directory), resume: { checkpoint, directory } }
    : fresh;
console.log('start');
for await (const event of train({ ...run, fileSystem })) {
  if (event.kind === 'step' && options.reportMemoryEvery && event.step % options.reportMemoryEvery === 0) {
    globalThis.gc?.();
    console.log(JSON.stringify({ step: event.step, ...process.memoryUsage(), backend: backend.bytesAllocated }));
  }
}
backend.close();
console.log('end');
