// Every call with what has ended or belongs elsewhere: disposed, of another backend, of a closed one. fuzz-calls.mjs runs this.
import { exportCalls } from './export-calls.mjs';

/** Calls that compute nothing with what they are given, so that only what follows is refused, with reasons. */
export const refusedLater = {
  keep: 'takes from a scope, whatever the tensor',
  'Tensor.own': 'wraps memory: each use asks the backend',
  'ops.reshape': 'gives another view of the same memory',
  createAttention: 'exact attention holds no tensors',
  Decoder: 'restores states; feed() computes',
  batchOptions: 'reads the configuration and the batch alone',
  Distillation: 'holds the teacher; teach() computes',
  compareModels: 'reads the numbers of two models, each from its own backend',
};

/** Methods that any call may make of a backend that is closed or another's: they read and write nothing. */
const HARMLESS = new Set(['release', 'close']);

/** `backend` that counts the calls of its methods. */
export function counted(backend) {
  const count = { calls: 0 };
  const proxy = new Proxy(backend, {
    get: (target, key) => {
      const member = target[key];
      if (typeof member !== 'function') return member;
      return (...args) => {
        if (!HARMLESS.has(key)) count.calls++;
        return member.apply(target, args);
      };
    },
  });
  return { backend: proxy, count };
}

/** Awaits what a call gives; of a generator the first values alone. */
export async function settle(value) {
  const isIterator = typeof value?.next === 'function' && (Symbol.asyncIterator in value || Symbol.iterator in value);
  if (!isIterator) return value;
  let yields = 0;
  for await (const _ of value) if (++yields === 3) break;
}

/** Copies of `given` on `backend`, by what each is; undefined for what no backend holds. */
export async function counterpart(library, given, main, backend) {
  if (given === main) return backend;
  if (typeof given !== 'object' || given === null) return undefined;
  if (library.Tensor.is(given)) {
    const whole = new Float32Array(await given.data());
    return given.type === 'int32'
      ? library.tensor(backend, Int32Array.from(whole), given.shape)
      : library.tensor(backend, whole, given.shape);
  }
  for (const Model of [library.Transformer, library.EncoderDecoder]) {
    if (Model.is(given)) return new Model(backend, given.configuration);
  }
  for (const State of [library.FavorState, library.KeyValueCache]) {
    if (State.is(given)) return State.restore(backend, await given.save());
  }
  if ('type' in given && 'length' in given && !ArrayBuffer.isView(given)) {
    return backend.upload(new Float32Array(given.length), given.type === 'int32' ? 'int32' : 'float32');
  }
  return undefined;
}

/** Every place in `given`, down to some depth, with a function that gives a copy with another value there. */
export function* places(given, depth = 4) {
  const copies = (entries, copyWith) =>
    entries.flatMap(([key, value]) => [
      [value, (other) => copyWith(key, other)],
      ...Array.from(depth > 0 ? places(value, depth - 1) : [], ([inner, put]) => [
        inner,
        (other) => copyWith(key, put(other)),
      ]),
    ]);
  if (given instanceof Map) yield* copies([...given], (key, other) => new Map(given).set(key, other));
  else if (Array.isArray(given)) yield* copies([...given.entries()], (at, other) => given.with(at, other));
  else if (given !== null && typeof given === 'object' && Object.getPrototypeOf(given) === Object.prototype) {
    yield* copies(Object.entries(given), (key, other) => ({ ...given, [key]: other }));
  }
}

function dispose(backend, value) {
  if (typeof value.dispose === 'function') value.dispose();
  else backend.release(value);
}

/**
 * @param targets [name, call, build] of `main`
 * @param main the backend of `targets`, and `count` its calls
 * @param create makes a backend of the same kind
 * @param report is given each finding
 */
export async function checkLifetimes({ library, targets, main, count, other, create, report, isProper }) {
  const closing = counted(await create());
  const tensorOf = (...shape) =>
    library.tensor(closing.backend, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.25), shape);
  const idsOf = (...values) => library.tensor(closing.backend, Int32Array.from(values), [1, values.length]);
  let calls = 0;
  async function refused(what, call, args, isWanted = () => true) {
    calls++;
    let message = 'nothing';
    try {
      await settle(await call(...args));
      if (!isWanted()) return;
    } catch (error) {
      if (error instanceof library.LifetimeError) return;
      // Another argument may be wrong too, as where sizes follow from the backend.
      if (isProper(error)) return;
      message = error.stack;
    }
    const [name] = what.split(' ');
    if (message !== 'nothing' || !(name in refusedLater)) {
      report(new Error(`${what} is not refused, but gives ${message}`));
    }
  }

  // Whole calls whose backend is closed: those that compute anything must say so.
  const table = await exportCalls({ library, backend: closing.backend, tensorOf, idsOf });
  const late = [];
  for (const [what, [build, call, end]] of Object.entries(table)) {
    const before = closing.count.calls;
    const args = await build();
    const built = closing.count.calls;
    const made = await settle(await call(...args));
    if (made !== undefined) await end?.(made);
    if (closing.count.calls > built || built < before) late.push([`${what} on a closed backend`, call, await build()]);
  }
  // Single arguments.
  const closed = [];
  for (const [what, call, build] of targets) {
    for (const [at] of [...places(await build())].entries()) {
      const args = await build();
      const [given, put] = [...places(args)][at];
      const elsewhere = await counterpart(library, given, main, closing.backend);
      if (elsewhere === undefined) continue;
      closed.push([`${what} with argument ${at} of a closed backend`, call, put(elsewhere)]);
      const dead = given === main ? undefined : await counterpart(library, given, main, main);
      if (dead !== undefined) {
        dispose(main, dead);
        await refused(`${what} with argument ${at} disposed`, call, put(dead));
      }
      const away = counted(other);
      const foreign = await counterpart(library, given, main, away.backend);
      const [hereBefore, awayBefore] = [count.calls, away.count.calls];
      await refused(
        `${what} with argument ${at} of another backend`,
        call,
        put(foreign),
        () => count.calls > hereBefore && away.count.calls > awayBefore,
      );
    }
  }
  closing.backend.close();
  for (const each of [...late, ...closed]) await refused(...each);
  return calls;
}
