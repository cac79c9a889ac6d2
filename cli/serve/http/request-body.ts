import type { HttpBindings } from '@hono/node-server';
import { ApiError, badRequest } from '../errors.ts';

/** Levels of arrays and objects: no field needs more than four, and recursive checks must not exhaust the stack. */
const maxDepth = 32;

/**
 * The JSON of a request.
 *
 * @param most bytes that it may have
 * @param stopping aborts when the server takes no new requests: one that has not arrived whole is then turned away
 * @throws {ApiError} 415 when it is something else, 413 when it is too large, 400 when it is malformed; the signal's reason
 */
export async function readJson(
  { incoming, outgoing }: HttpBindings,
  most: number,
  stopping: AbortSignal,
): Promise<unknown> {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = incoming.headers;
  if (!/^application\/json *(; *charset="?utf-?8"? *)?$/i.test(type) || encoding.toLowerCase() !== 'identity') {
    throw new ApiError(415, 'The body must be plain JSON in UTF-8: send the header "Content-Type: application/json".');
  }
  const bytes = await readBytes({ incoming, outgoing }, most, stopping);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badRequest('The body is not UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`The body is not JSON: ${error instanceof Error ? error.message : error}.`);
  }
  checkDepth(value);
  return value;
}

/** @throws {ApiError} 400 for arrays and objects within each other too often */
function checkDepth(value: unknown): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw badRequest(`The body is nested deeper than ${maxDepth} levels.`);
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
}

function readBytes({ incoming, outgoing }: HttpBindings, most: number, stopping: AbortSignal): Promise<Buffer> {
  const tooLarge = () => new ApiError(413, `The body is larger than ${most} bytes: send less at once.`);
  return new Promise((resolve, reject) => {
    if (Number(incoming.headers['content-length'] ?? 0) > most) {
      reject(tooLarge());
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= most) chunks.push(chunk);
      else end(() => reject(tooLarge()));
    };
    const onEnd = () => end(() => resolve(Buffer.concat(chunks)));
    const onClose = () => end(() => reject(new ApiError(400, 'The connection ended inside the body.')));
    const onStop = () => end(() => reject(stopping.reason));
    const end = (settle: () => void) => {
      incoming.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
      stopping.removeEventListener('abort', onStop);
      // What follows a body that is too large is read and dropped: some clients do not read before they have written.
      incoming.on('error', () => {}).resume();
      settle();
    };
    if (incoming.headers.expect !== undefined) outgoing.writeContinue();
    incoming.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
    stopping.addEventListener('abort', onStop, { once: true });
    if (stopping.aborted) onStop();
  });
}
