/** Which names the server answers to, so that a page elsewhere cannot reach it under a name of its own (DNS rebinding). */
import { isIP } from 'node:net';
import { ConfigurationError } from '../../../src/entries/performers.ts';
import { ApiError } from '../errors.ts';

export interface HostOptions {
  /** Where the server listens. */
  readonly host: string;
  /** Whether clients must send a key, which a page elsewhere does not have. */
  readonly hasKey: boolean;
  /** Further names that clients may use. */
  readonly allowHosts?: readonly string[] | undefined;
}

/**
 * Checks the Host header. Without a key a server on the loopback address answers to that address alone, others to any IP
 * address, which nobody can rebind. With a key all names are allowed, unless some are given.
 */
export class Hosts {
  readonly #allowed: ReadonlySet<string>;

  /** @throws ConfigurationError for a name that no Host header can have */
  constructor(readonly options: HostOptions) {
    const { host, allowHosts = [] } = options;
    this.#allowed = new Set(['localhost', plain(host), ...allowHosts.map(checked)]);
  }

  /** @throws {ApiError} 403 for a host that is not allowed, 400 for several Host headers (RFC 9112, section 3.2) */
  require([header, ...others]: readonly string[] = []): void {
    if (others.length > 0) {
      throw new ApiError(400, 'The request has several Host headers: send one.', { code: 'several_hosts' });
    }
    const { hasKey, host, allowHosts = [] } = this.options;
    if (header === undefined || (hasKey && allowHosts.length === 0)) return;
    const name = plain(/^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(header)?.[1] ?? header);
    if (this.#allowed.has(name)) return;
    if (isIP(name) && (isLoopback(name) || !isLoopback(host))) return;
    throw new ApiError(
      403,
      `This server does not answer to the host ${JSON.stringify(name.slice(0, 100))}: start it with --allow-host NAME to allow that.`,
      { code: 'host_not_allowed' },
    );
  }
}

/** Whether only programs of this machine reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Without brackets and final dot, in small letters. */
function plain(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}

function checked(name: string): string {
  const host = plain(name);
  if (isIP(host) || /^[a-z\d_-]+(\.[a-z\d_-]+)*$/.test(host)) return host;
  throw new ConfigurationError(
    `${JSON.stringify(name)} is no host: give --allow-host the name alone, such as example.org.`,
  );
}

/** @throws ConfigurationError for what no browser sends as the origin of a page */
export function checkOrigin(origin: string): void {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url && url.origin === origin && /^https?:$/.test(url.protocol)) return;
  throw new ConfigurationError(
    `${JSON.stringify(origin)} is no origin: give --cors the scheme, name and port alone, such as https://example.org.`,
  );
}
