/** Reads drawn inputs of several targets in turn until the time is over, counts outcomes and keeps what failed. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDrawer } from './draw.ts';
import { type Files, writeFiles } from './files.ts';
import { type Answer, Reader } from './reader.ts';
import type { Target } from './target.ts';

export interface CampaignOptions {
  readonly targets: readonly Target[];
  readonly seed: number;
  /** Ends when it aborts, with the counts so far. */
  readonly signal: AbortSignal;
  /** Of each target, at most. */
  readonly inputs: number;
  /** Where inputs that failed are written: a folder for each target. */
  readonly out: string;
  readonly child: string;
  /** Called after every input. */
  readonly onInput?: (target: Target, counts: ReadonlyMap<string, Counts>) => void;
  readonly onFinding?: (target: Target, answer: Answer, path: string) => void;
}

export interface Counts {
  inputs: number;
  accepted: number;
  refused: number;
  findings: number;
}

/** A target has its turn for so long before the next one has. */
const TURN_MILLISECONDS = 2000;
/** A process reads so many inputs before a fresh one does, which bounds what it can gather. */
const INPUTS_PER_PROCESS = 5000;
/** How many of the findings that look alike are written. */
const ALIKE = 3;

export async function campaign(options: CampaignOptions): Promise<ReadonlyMap<string, Counts>> {
  const { targets, seed, signal, inputs, child } = options;
  const counts = new Map<string, Counts>();
  const alike = new Map<string, number>();
  const lanes = await Promise.all(
    targets.map(async (target) => {
      counts.set(target.name, { inputs: 0, accepted: 0, refused: 0, findings: 0 });
      const reader = new Reader({ child, target: target.name, seed });
      return { target, reader, ...(await createDrawer(target, seed)) };
    }),
  );
  signal.addEventListener('abort', () => {
    for (const { reader } of lanes) reader.stop();
  });
  try {
    let open = lanes;
    while (open.length > 0 && !signal.aborted) {
      for (const { target, draw, numSeeds, reader } of open) {
        const count = counts.get(target.name)!;
        const end = performance.now() + TURN_MILLISECONDS;
        while (performance.now() < end && count.inputs < inputs && !signal.aborted) {
          const index = count.inputs;
          const read = await reader.read(index, () => draw(index));
          // Its process was stopped under it.
          if (signal.aborted) break;
          const answer: Answer =
            read.outcome === 'refused' && index < numSeeds ? { ...read, outcome: 'seed refused' } : read;
          count.inputs++;
          if (answer.outcome === 'accepted' || answer.outcome === 'refused') count[answer.outcome]++;
          else {
            count.findings++;
            note(target, draw(index), answer, index);
          }
          options.onInput?.(target, counts);
          if (count.inputs % INPUTS_PER_PROCESS === 0) reader.stop();
        }
      }
      open = open.filter(({ target }) => counts.get(target.name)!.inputs < inputs);
    }
  } finally {
    for (const { reader } of lanes) reader.close();
  }
  return counts;

  function note(target: Target, files: Files, answer: Answer, index: number): void {
    const kind = `${target.name} ${answer.outcome} ${signature(answer.detail)}`;
    const before = alike.get(kind) ?? 0;
    alike.set(kind, before + 1);
    if (before >= ALIKE) return;
    const path = save(join(options.out, target.name), files, answer, `seed ${seed}, input ${index}`);
    options.onFinding?.(target, answer, path);
  }
}

/** What findings of one cause share: the message without its numbers and names, and the place in the source. */
function signature(detail: string): string {
  const [message = '', ...stack] = detail.split('\n');
  const place = stack.find((line) => /\((?!node:)/.test(line)) ?? '';
  return `${message.replace(/"[^"]*"|'[^']*'|\d+/g, '…').slice(0, 120)} ${place.trim()}`;
}

/** Writes the files into a folder named after their contents, and what became of them beside it. */
function save(folder: string, files: Files, { outcome, detail }: Answer, origin: string): string {
  const sum = createHash('sha256');
  for (const [name, bytes] of Object.entries(files)) sum.update(name).update(bytes);
  const path = join(folder, sum.digest('hex').slice(0, 12));
  writeFiles(path, files);
  writeFileSync(`${path}.txt`, `${outcome} (${origin})\n${detail}\n`);
  return path;
}
