/** A trace in a file that is complete JSON after every batch of events, so that a process may end at any time. */
import { openSync, writeSync } from 'node:fs';
import { FileError, messageOf } from '../../base/errors.ts';
import type { TraceEvent, TraceSink } from '../trace/event.ts';

const HEAD = '{"displayTimeUnit":"ms","traceEvents":[\n';
const TAIL = '\n]}\n';
/** Events held back at most. */
const BATCH = 256;

/** Files of this process: backends with the same file share one. */
const open = new Map<string, TraceSink>();

/** @throws FileError if the file cannot be written. */
export function openTrace(path: string): TraceSink {
  const known = open.get(path);
  if (known) return known;
  const sink = newTrace(path);
  open.set(path, sink);
  return sink;
}

function newTrace(path: string): TraceSink {
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (error) {
    throw new FileError(`The trace cannot be written to ${path} (${messageOf(error)}): name another file.`);
  }
  let end = writeSync(file, HEAD, 0);
  writeSync(file, TAIL, end);
  let held: string[] = [];
  let isFirst = true;
  const flush = () => {
    if (held.length === 0) return;
    const text = `${isFirst ? '' : ',\n'}${held.join(',\n')}`;
    held = [];
    isFirst = false;
    const start = end;
    end += writeSync(file, text, start);
    writeSync(file, TAIL, end);
  };
  process.once('exit', flush);
  return {
    write(event: TraceEvent) {
      held.push(JSON.stringify(event));
      if (held.length >= BATCH) flush();
    },
    flush,
  };
}
