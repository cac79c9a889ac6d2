import type { IncomingMessage } from 'node:http';
import { ApiError, badRequest } from './errors.ts';

/**
 * The JSON of a request.
 *
 * @param most bytes that it may have
 * @throws {ApiError} 415 when it is something else, 413 when it is too large, 400 when it is malformed
 */
export async function readJson(incoming: IncomingMessage, most: number): Promise<unknown> {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = incoming.headers;
  if (!/^application\/json *(; *charset="?utf-?8"? *)?$/i.test(type) || encoding.toLowerCase() !== 'identity') {
    throw new ApiError(415, 'The body must be plain JSON in UTF-8: send the header "Content-Type: application/json".');
  }
  const bytes = await readBytes(incoming, most);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badRequest('The body is not UTF-8.');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`The body is not JSON: ${error instanceof Error ? error.message : error}.`);
  }
}

function readBytes(incoming: IncomingMessage, most: number): Promise<Buffer> {
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
    const end = (settle: () => void) => {
      incoming.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
      // What follows a body that is too large is read and dropped, for a client that does not read before it has written.
      incoming.on('error', () => {}).resume();
      settle();
    };
    incoming.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
  });
}
