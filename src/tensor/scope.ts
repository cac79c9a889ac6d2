/**
 * Scopes bound memory: every tensor made inside `scope(fn)` is disposed when `fn` returns, except those it returns.
 * The stack is module state, which is safe because a scope's function is synchronous.
 */

import { ConfigurationError } from '../base/errors.ts';

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
  for (const item of disposablesIn(result)) {
    if (held.delete(item)) adopt(item);
  }
  for (const item of held) item.dispose();
  return result;
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
