/** The engines that the bench compares with, made ready: values checked first, and failures turned into reasons. */
import type { Backend } from '../../src/entries/performers.ts';
import { type BackendKind, type Check, relativeError } from '../case.ts';
import { reasonOf, type Subject } from '../measure.ts';
import { threadsText } from '../peak.ts';
import { jaxJs } from './jax-js.ts';
import { nanogpt, nanogptInNode } from './nanogpt.ts';
import { onnxruntimeNode } from './onnxruntime-node.ts';
import { onnxruntimeWeb } from './onnxruntime-web.ts';
import type { Peer, PeerRun, PeerTask } from './peer.ts';
import { ruvector } from './ruvector.ts';
import { tfjs } from './tfjs.ts';

/** One line per engine: the order of the report. */
export const peers: readonly Peer[] = [onnxruntimeNode, onnxruntimeWeb, jaxJs, tfjs, ruvector, nanogpt, nanogptInNode];

/** onnxruntime's threads spin for about 50 ms after a call, which is its default and its best form. */
const REST_MILLISECONDS = 100;

/** A peer that could not be measured at a task, and why. */
export interface Unavailable {
  readonly name: string;
  readonly task: string;
  readonly reason: string;
}

export interface PeerSubject {
  readonly subject: Subject;
  /** Label of the case's own subject that it is compared with. */
  readonly against: string;
}

export interface PeerSubjects {
  readonly subjects: readonly PeerSubject[];
  readonly checks: readonly Check[];
  readonly unavailable: readonly Unavailable[];
  release(): Promise<void>;
}

export interface PeerOptions {
  readonly peers: readonly Peer[];
  readonly kind: BackendKind;
  readonly numThreads: number;
  /** Float64, for the values that are checked. */
  readonly reference: Backend;
  /** The peak on that many threads. */
  readonly peakOf: (numThreads: number) => Subject | undefined;
}

/**
 * Loads the peers of one kind and lets each do each task: first the small problem, against the float64 reference. A run whose
 * values are wrong, and a peer that throws, come back as `unavailable`; the others are ready to be timed.
 */
export async function peerSubjects(tasks: readonly PeerTask[], options: PeerOptions): Promise<PeerSubjects> {
  const { kind, numThreads, reference, peakOf } = options;
  const subjects: PeerSubject[] = [];
  const checks: Check[] = [];
  const unavailable: Unavailable[] = [];
  const runs: PeerRun[] = [];
  for (const task of tasks) {
    const able = options.peers.filter((peer) => peer.runsOn === kind);
    const expected = able.length > 0 ? await task.expected(reference) : [];
    for (const peer of able) {
      try {
        const small = await task.start(peer, 'small', numThreads);
        if (small === undefined) continue;
        const right = new Set<string>();
        for (const run of small) {
          const name = nameOf(peer, run);
          try {
            await run.run();
            const error = relativeError(name, await run.read(), expected);
            if (error <= task.bound) {
              right.add(run.form);
              checks.push({ what: `${name}, ${task.label}`, error, bound: task.bound });
            } else {
              const reason = `its values differ from float64 by ${error.toExponential(1)} of the largest: more than ${task.bound}`;
              unavailable.push({ name, task: task.label, reason });
            }
          } catch (error) {
            unavailable.push({ name, task: task.label, reason: reasonOf(error) });
          } finally {
            await run.release();
          }
        }
        if (right.size === 0) continue;
        for (const run of (await task.start(peer, 'timed', numThreads)) ?? []) {
          if (!right.has(run.form)) {
            await run.release();
            continue;
          }
          runs.push(run);
          const threads = peer.threads(numThreads);
          const subject: Subject = {
            label: `${nameOf(peer, run)}, ${task.label}${kind === 'wasm' ? `, ${threadsText(threads)}` : ''}`,
            flops: task.flops,
            exponentials: task.exponentials,
            peak: peakOf(threads),
            mayFail: true,
            rest: REST_MILLISECONDS,
            run: () => run.run(),
          };
          subjects.push({ subject, against: task.against });
        }
      } catch (error) {
        unavailable.push({ name: peer.name, task: task.label, reason: reasonOf(error) });
      }
    }
  }
  const release = async () => {
    for (const run of runs) await run.release();
  };
  return { subjects, checks, unavailable, release };
}

const nameOf = (peer: Peer, run: PeerRun): string => (run.form === '' ? peer.name : `${peer.name} ${run.form}`);
