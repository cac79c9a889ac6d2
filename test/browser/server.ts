/** A web server on 127.0.0.1 for the browser test: dist/ as built, and nothing else, so that it must import no package. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const TYPES: Record<string, string> = {
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

export interface Site {
  /** Where `/page` is an empty page. */
  readonly url: string;
  /** Every path asked for. */
  readonly requests: string[];
  close(): Promise<void>;
}

/**
 * @param isolated whether pages are cross-origin isolated, so that WebAssembly memory can be shared
 * @param shared whether pages of other sites may load the files, as those of a content delivery network
 */
export async function serve(isolated: boolean, shared = false): Promise<Site> {
  const requests: string[] = [];
  const page = '<!doctype html><title>performers</title>';
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    requests.push(path);
    if (isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    if (shared) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    }
    try {
      if (path === '/page') {
        response.setHeader('Content-Type', 'text/html');
        response.end(page);
      } else if (path.startsWith('/dist/')) {
        const body = await readFile(join(root, path));
        response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream');
        response.end(body);
      } else {
        response.writeHead(404).end();
      }
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { url: `http://127.0.0.1:${port}`, requests, close };
}
