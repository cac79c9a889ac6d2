import { createServer, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { ApiError } from './errors.ts';

/** Seconds in which a request's header fields must have arrived. */
const headersTimeout = 10;
const keepAliveTimeout = 5;
const maxHeaderSize = 16 * 1024;

type Fetch = (request: Request, env: HttpBindings) => Response | Promise<Response>;

/**
 * An HTTP server that answers slow and broken senders in the API's own form too.
 *
 * @param receiveTimeout seconds in which a request must have arrived whole
 */
export function createHttpServer(fetch: Fetch, receiveTimeout: number): Server {
  const options = {
    headersTimeout: 1000 * Math.min(headersTimeout, receiveTimeout),
    requestTimeout: 1000 * receiveTimeout,
    connectionsCheckingInterval: Math.min(1000, 100 * receiveTimeout),
    keepAliveTimeout: 1000 * keepAliveTimeout,
    maxHeaderSize,
  };
  const answers = new WeakMap<Duplex, ServerResponse>();
  const listener = getRequestListener((request, env) => fetch(request, env as HttpBindings), {
    overrideGlobalObjects: false,
    errorHandler: () => new ApiError(400, 'The address or the Host header of the request is malformed.').toResponse(),
  });
  const server = createServer(options, (incoming, outgoing) => {
    answers.set(incoming.socket, outgoing);
    void listener(incoming, outgoing);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = answers.get(socket);
    const isAnswering = answer?.headersSent && !answer.writableFinished;
    if (!socket.writable || isAnswering || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(rawResponse(clientError(error.code ?? '')));
  });
  return server;
}

function clientError(code: string): ApiError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new ApiError(408, 'The request took too long to arrive.');
  if (code === 'HPE_HEADER_OVERFLOW') return new ApiError(431, `The header is larger than ${maxHeaderSize} bytes.`);
  return new ApiError(400, 'This is no HTTP request.');
}

function rawResponse(error: ApiError): string {
  const body = JSON.stringify(error);
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
