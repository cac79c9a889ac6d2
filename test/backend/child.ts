import { spawnSync } from 'node:child_process';

/** What a Node process prints for an expression over `performers` and a `backend` of its own. */
export function inNode(
  options: object,
  expression: string,
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): string {
  const code = `import('./dist/node.js').then(async (performers) => {
    const backend = await performers.createBackend(${JSON.stringify(options)});
    console.log(${expression});
  }).catch((error) => console.log(error.message));`;
  const run = spawnSync(process.execPath, [...flags, '-e', code], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 200_000,
  });
  return `${run.stdout.trim()}${run.status === 0 ? '' : ` (status ${run.status})`}`;
}
