/**
 * The errors that this package throws. Each has one sentence: what is wrong, where, and how to fix it. The class tells
 * callers what to do about an error; a rule of `scripts/check-layers.mjs` refuses plain errors in src/.
 */
export class PerformersError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.name = new.target.name;
  }
}

/** Most characters of a message: what a message quotes from a file or an argument may have any length. */
const LONGEST = 2000;
const TAIL = 500;

/** The message on one line: control characters are escaped, and the middle of a very long message is left out. */
function oneLine(message: string): string {
  const escaped = message.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => JSON.stringify(character).slice(1, -1));
  // Characters that JSON leaves as they are.
  const line = escaped.replace(/[\x7f-\x9f\u2028\u2029]/g, (character) => `\\u${hex(character)}`);
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - TAIL)} … ${line.slice(-TAIL)}`;
}

const hex = (character: string) => character.charCodeAt(0).toString(16).padStart(4, '0');

/** Tensors, arrays or sizes do not fit each other. */
export class ShapeError extends PerformersError {}

/** An option, a flag, a configuration or a combination of them is not valid. */
export class ConfigurationError extends PerformersError {}

/** Numbers, ids, texts, weights or the contents of a file are not what they must be. */
export class DataError extends PerformersError {}

/** A file or folder is missing, locked, not readable or not writable. */
export class FileError extends PerformersError {}

/** A server of models or data gave no answer, or not the answer that was asked for. */
export class NetworkError extends PerformersError {}

/** A tensor, state or backend was used after its end, or together with those of another backend. */
export class LifetimeError extends PerformersError {}

/** Memory is exhausted. */
export class OutOfMemoryError extends PerformersError {}

/** The build, the engine or an optional package lacks something that is needed. */
export class PlatformError extends PerformersError {}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return String(error.message);
  try {
    return String(error);
  } catch {
    return 'something that has no text';
  }
}
