import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { ApiError } from '../errors.ts';

/** Seconds in which a request's header fields must have arrived. */
const headersTimeout = 10;
const keepAliveTimeout = 5;
const maxHeaderSize = 16 * 1024;

type Fetch = (request: Request, env: HttpBindings) => Response | Promise<Response>;

/** A request and its answer, until the answer is sent. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

interface Connection {
  /** In the order in which the requests arrived. */
  readonly exchanges: Set<Exchange>;
  /** What arrives after an error is no longer read as requests. */
  hasFailed: boolean;
}

/** An HTTP server that answers slow and broken senders in the API's own form too. */
export class HttpServer {
  readonly server: Server;
  readonly #connections = new Map<Duplex, Connection>();

  /** @param receiveTimeout seconds in which a request must have arrived whole */
  constructor(fetch: Fetch, receiveTimeout: number) {
    // Node takes whole milliseconds.
    const milliseconds = (seconds: number) => Math.max(1, Math.round(1000 * seconds));
    const options = {
      headersTimeout: milliseconds(Math.min(headersTimeout, receiveTimeout)),
      requestTimeout: milliseconds(receiveTimeout),
      connectionsCheckingInterval: milliseconds(Math.min(1, 0.1 * receiveTimeout)),
      keepAliveTimeout: milliseconds(keepAliveTimeout),
      maxHeaderSize,
    };
    const listener = getRequestListener((request, env) => fetch(request, env as HttpBindings), {
      overrideGlobalObjects: false,
      errorHandler: () => new ApiError(400, 'The address or the Host header of the request is malformed.').toResponse(),
    });
    const answer = (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const exchange = { incoming, outgoing };
      const { exchanges } = this.#connection(incoming.socket);
      exchanges.add(exchange);
      outgoing.once('close', () => exchanges.delete(exchange));
      void listener(incoming, outgoing);
    };
    this.server = createServer(options, answer);
    // The body is asked for once it is known to be wanted: see readJson.
    this.server.on('checkContinue', answer);
    this.server.on('connection', (socket) => this.#connection(socket));
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket) => void this.#answerError(error, socket));
  }

  /** Closes connections that wait for a request or have sent half of one; those with a whole request stay. */
  closeUnasked(): void {
    for (const [socket, { exchanges }] of this.#connections) {
      if (exchanges.size === 0) (socket as Duplex & { destroySoon(): void }).destroySoon();
    }
  }

  #connection(socket: Duplex): Connection {
    const known = this.#connections.get(socket);
    if (known) return known;
    const connection = { exchanges: new Set<Exchange>(), hasFailed: false };
    this.#connections.set(socket, connection);
    socket.once('close', () => this.#connections.delete(socket));
    return connection;
  }

  /** Answers what is not a request, after the requests that came before. */
  async #answerError(error: NodeJS.ErrnoException, socket: Duplex): Promise<void> {
    const connection = this.#connection(socket);
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    if (connection.hasFailed) return;
    connection.hasFailed = true;
    const all = [...connection.exchanges];
    const broken = all.find(({ incoming }) => !incoming.complete);
    const whole = all.filter((exchange) => exchange !== broken);
    await Promise.all(whole.map(({ outgoing }) => new Promise((resolve) => outgoing.once('close', resolve))));
    if (!socket.writable || broken?.outgoing.headersSent) socket.destroy();
    else socket.end(rawResponse(clientError(error.code ?? '')));
  }
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
