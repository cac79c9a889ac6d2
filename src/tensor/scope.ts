/**
 * Scopes bound memory: every tensor made inside `scope(fn)` is disposed when `fn` returns, except those it returns.
 * The stack is module state, which is safe because a scope's function is synchronous: work in pieces leaves its scope between them.
 */

import { ConfigurationError } from '../base/errors.ts';
import { inSteps, type Pauses, type Pieces } from '../base/event-loop.ts';

/** Something a scope can free. */
export interface Disposable {
  dispose(): void;
}

const scopes: Set<Disposable>[] = [];

/** Registers `item` with the innermost scope, if there is one. */
export function adopt(item: Disposable): void {
  scopes.at(-1)?.add(item);
}

/** Takes `item` out of whichever scope holds it; the caller disposes it. Returns the item. */
export function keep<T extends Disposable>(item: T): T {
  if (!isDisposable(item)) throw new ConfigurationError('keep: give something with dispose(), such as a tensor.');
  for (const held of scopes) held.delete(item);
  return item;
}

/**
 * Runs `fn` and disposes what it made, except disposables found in its result: the result itself, or one level down in
 * an array or object. Those pass to the enclosing scope.
 *
 * @throws ConfigurationError when `fn` is asynchronous: await `tensor.data()` outside a scope.
 */
export function scope<T>(fn: () => T): T {
  if (typeof fn !== 'function') throw new ConfigurationError('scope: give a function that makes tensors.');
  const held = new Set<Disposable>();
  scopes.push(held);
  let result: T;
  try {
    result = fn();
    if (result instanceof Promise) {
      throw new ConfigurationError(
        'scope: its function must not be asynchronous; return tensors and await their data() outside.',
      );
    }
  } catch (error) {
    scopes.pop();
    for (const item of held) item.dispose();
    throw error;
  }
  scopes.pop();
  passOn(result, held);
  return result;
}

/**
 * As {@link scope}, of work in pieces, between which the event loop may turn. What others make meanwhile is not the scope's.
 *
 * @throws the reason of the pauses' signal, if it has aborted; all that was made is then disposed
 */
export function scopeInSteps<T>(pieces: Pieces<T>, pauses: Pauses): Promise<T> {
  return inSteps(scoped(pieces), pauses);
}

/** As {@link scope}, of work in pieces. */
export function* scoped<T>(pieces: Pieces<T>): Pieces<T> {
  const held = new Set<Disposable>();
  const within = <Result>(fn: () => Result): Result => {
    scopes.push(held);
    try {
      return fn();
    } finally {
      scopes.pop();
    }
  };
  let isWhole = false;
  try {
    let piece = within(() => pieces.next());
    for (; !piece.done; piece = within(() => pieces.next())) yield;
    isWhole = true;
    passOn(piece.value, held);
    return piece.value;
  } finally {
    if (!isWhole) {
      within(() => pieces.return(undefined as T));
      for (const item of held) item.dispose();
    }
  }
}

/** Disposes what a scope held except what its result has. */
function passOn(result: unknown, held: Set<Disposable>): void {
  for (const item of disposablesIn(result)) {
    if (held.delete(item)) adopt(item);
  }
  for (const item of held) item.dispose();
}

function disposablesIn(value: unknown): Disposable[] {
  if (isDisposable(value)) return [value];
  if (value instanceof Map) return [...value.values()].filter(isDisposable);
  if (ArrayBuffer.isView(value)) return [];
  if (value !== null && typeof value === 'object') {
    return Object.values(value).flatMap((entry) =>
      isDisposable(entry) ? [entry] : Array.isArray(entry) ? entry.filter(isDisposable) : [],
    );
  }
  return [];
}

function isDisposable(value: unknown): value is Disposable {
  return value !== null && typeof value === 'object' && 'dispose' in value && typeof value.dispose === 'function';
}
