import { once, setMaxListeners } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigurationError } from '../../src/entries/performers.ts';
import { stoppingError } from './engine/admission.ts';
import type { Engine } from './engine/engine.ts';
import { Authentication } from './http/authentication.ts';
import { checkOrigin, Hosts } from './http/hosts.ts';
import { HttpServer } from './http/http-server.ts';
import { RequestLog } from './http/request-log.ts';
import { createRoutes } from './http/routes.ts';

export interface ServiceOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly apiKey?: string | undefined;
  /** Further names that clients may use for the host. */
  readonly allowHosts?: readonly string[] | undefined;
  /** Origins whose pages may use the server, such as `https://example.org`. */
  readonly origins?: readonly string[] | undefined;
  /** A line for each request. */
  readonly verbose?: boolean;
  /** Where lines of the log go. */
  readonly write: (line: string) => void;
}

/** An engine that listens. */
export class Service {
  readonly #ending = new AbortController();
  readonly #stopping = new AbortController();
  readonly #http: HttpServer;

  private constructor(
    readonly engine: Engine,
    readonly options: ServiceOptions,
  ) {
    const { apiKey, verbose = false, write, host, allowHosts, origins = [] } = options;
    // One for each request.
    setMaxListeners(0, this.#ending.signal, this.#stopping.signal);
    for (const origin of origins) checkOrigin(origin);
    const app = createRoutes({
      engine,
      authentication: new Authentication(apiKey),
      hosts: new Hosts({ host, allowHosts, hasKey: apiKey !== undefined }),
      origins,
      log: new RequestLog(write, verbose),
      ending: this.#ending.signal,
      stopping: this.#stopping.signal,
    });
    this.#http = new HttpServer(app.fetch, engine.limits.receiveTimeout);
  }

  get #server(): Server {
    return this.#http.server;
  }

  /** @throws ConfigurationError when the address cannot be listened at, or a host or origin is not valid */
  static async start(engine: Engine, options: ServiceOptions): Promise<Service> {
    const service = new Service(engine, options);
    const { host, port } = options;
    service.#server.listen(port, host);
    await once(service.#server, 'listening').catch((error) => {
      throw new ConfigurationError(listenError(error, host, port));
    });
    return service;
  }

  /** Such as `http://127.0.0.1:8080`. */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /**
   * Turns new requests away, waits for those at work, then ends.
   *
   * @param grace seconds to wait; what is not done by then is cut short
   * @returns whether all were done
   */
  async stop(grace: number): Promise<boolean> {
    const { engine } = this;
    const end = performance.now() + 1000 * grace;
    engine.admission.stop();
    this.#stopping.abort(stoppingError());
    const isDone = engine.admission.idle().then(() => true);
    const finished = await Promise.race([isDone, delay(1000 * grace, false, { ref: false })]);
    if (!finished) {
      this.#ending.abort(stoppingError());
      await isDone;
    }
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Answers on their way may still be taken, an error as well; connections without any close at once.
    const sweep = setInterval(() => this.#http.closeUnasked(), 50);
    const flushed = await Promise.race([
      closed.then(() => true),
      delay(Math.max(100, end - performance.now()), false, { ref: false }),
    ]);
    clearInterval(sweep);
    this.#server.closeAllConnections();
    await closed;
    engine.close();
    return finished && flushed;
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is already in use: choose another --port, or end the program that uses it.`;
  }
  if (error.code === 'EACCES') return `Port ${port} on ${host} is not allowed to this user: choose one above 1023.`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return `${host} is no address of this machine: leave out --host, or give one that is.`;
  }
  return `The server cannot listen at ${host}, port ${port}: ${error.message}.`;
}
