/** A backend whose calls are printed, recorded and looked through: `debug` and `trace` of createBackend. */
import { DataError } from '../../base/errors.ts';
import { currentLabel, keepLabels } from '../../base/labels.ts';
import type { UncheckedBackend } from '../checks/arrays.ts';
import type { Operations } from '../kernels.ts';
import type { Call } from './call.ts';
import { describedCalls } from './described-calls.ts';
import type { TraceSink } from './event.ts';
import { describeRange, firstNotFinite } from './numbers.ts';

interface WatchOptions {
  /** 1: a line for every call; 2: stops at the first result that is not finite, too. */
  readonly level: 0 | 1 | 2;
  readonly log: (line: string) => void;
  readonly sink: TraceSink | undefined;
}

const described: Partial<Record<PropertyKey, (...args: never[]) => Call>> = describedCalls;

export function watched(inner: UncheckedBackend, options: WatchOptions): UncheckedBackend {
  keepLabels();
  const methods = new Map<PropertyKey, unknown>();
  return new Proxy(inner, {
    get(backend, name) {
      const known = methods.get(name);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(backend, name, backend);
      if (typeof value !== 'function') return value;
      const own = value.bind(backend) as (...args: unknown[]) => unknown;
      const close = (...args: unknown[]) => {
        options.sink?.flush();
        return own(...args);
      };
      const method = isOperation(name) ? watchedCall(backend, name, options) : name === 'close' ? close : own;
      methods.set(name, method);
      return method;
    },
  });
}

function isOperation(name: PropertyKey): name is keyof Operations {
  return Object.hasOwn(describedCalls, name);
}

function watchedCall(backend: UncheckedBackend, name: keyof Operations, { level, log, sink }: WatchOptions) {
  const run = backend[name].bind(backend) as (...args: never[]) => unknown;
  return (...args: never[]): unknown => {
    const start = performance.now();
    const result = run(...args);
    const microseconds = (performance.now() - start) * 1000;
    const call = described[name]!(...args);
    const layer = currentLabel();
    if (level > 0) log(lineOf(name, call, microseconds, layer));
    sink?.write({
      ...({ name, cat: 'kernel', ph: 'X', pid: 1, tid: 1 } as const),
      ts: start * 1000,
      // Viewers leave out events without a length.
      dur: Math.max(microseconds, 0.001),
      args: {
        layer,
        shapes: Object.fromEntries(present(call).map((array) => [array.name, array.shape])),
        ...(call.flops > 0 && { gigaflopsPerSecond: call.flops / microseconds / 1000 }),
      },
    });
    if (level === 2) checkResults(backend, name, call, layer);
    return result;
  };
}

const present = ({ arrays }: Call) => arrays.filter(({ storage }) => storage !== undefined);

/** Name, time, GFLOP/s, shapes, layer: the last two, of any length, at the end. */
function lineOf(name: string, call: Call, microseconds: number, layer: string): string {
  const time = microseconds < 1000 ? `${microseconds.toFixed(1)} µs` : `${(microseconds / 1000).toFixed(2)} ms`;
  const rate = call.flops > 0 ? `${(call.flops / microseconds / 1000).toFixed(1)} GFLOP/s` : '';
  const shapes = present(call).map((array) => `${array.name} ${array.shape.join('×')}`);
  const place = layer === '' ? '' : `  in ${layer}`;
  return `${name.padEnd(24)}${time.padStart(10)}${rate.padStart(16)}  ${shapes.join(', ')}${place}`;
}

/** @throws DataError at the first result that is not finite, with the ranges of what the call was given. */
function checkResults(backend: UncheckedBackend, name: string, call: Call, layer: string): void {
  const results = present(call).filter(({ role }) => role !== 'in');
  for (const array of results) {
    const found = firstNotFinite(backend, call, array);
    if (!found) continue;
    const inputs = present(call)
      .filter(({ role, storage }) => role === 'in' && storage!.type !== 'int32')
      .map((input) => {
        const isOverwritten = results.some(({ storage }) => storage === input.storage);
        return `${input.name} ${isOverwritten ? 'is overwritten' : describeRange(backend, call, input)}`;
      });
    const given = inputs.length > 0 ? ` Given: ${inputs.join('; ')}.` : '';
    throw new DataError(
      `${name}${layer === '' ? '' : ` in ${layer}`} gave ${found.value} at ${array.name}[${found.index.join(', ')}] of ` +
        `[${array.shape.join(', ')}].${given} Look at what makes the first of these numbers.`,
    );
  }
}
