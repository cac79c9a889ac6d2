/**
 * Files of the Hugging Face hub by name, `hf://datasets/ORG/NAME[@REVISION][/PATH]` or `hf://ORG/NAME…` for models.
 * They are kept in the cache that Python's huggingface_hub and the npm package use: HF_HUB_CACHE, else HF_HOME/hub,
 * else ~/.cache/huggingface/hub. There `snapshots/COMMIT/PATH` links to `blobs/HASH`.
 */

import { join } from 'node:path';
import { environment } from '../../base/environment.ts';
import { DataError, NetworkError } from '../../base/errors.ts';
import type { Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { safeParse, z } from '../../base/zod.ts';
import { HASH, HubCache, isIntact, statOf, staysBelow } from './hub-cache.ts';
import { downloadVerified, type HubFile } from './hub-download.ts';

const SCHEME = 'hf://';
const HUB_URL = 'https://huggingface.co';
const COMMIT = /^[0-9a-f]{40}$/;

interface HubName {
  readonly type: 'dataset' | 'model';
  /** `ORG/NAME` */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** File, folder or glob (`*`, `**`, `?`) in the repository; empty: everything. */
  readonly path: string;
}

/** The signal leaves what has arrived of a file, and the next call continues there. */
export interface HubOptions extends Stoppable {
  /** Default: HF_ENDPOINT, else https://huggingface.co. */
  readonly hubUrl?: string | undefined;
  /** Default as above. */
  readonly cacheDir?: string | undefined;
  /** For repositories that need a token. Default: HF_TOKEN, else undefined. */
  readonly accessToken?: string | undefined;
  /** Uses the cache alone. Default: whether HF_HUB_OFFLINE is 1. */
  readonly offline?: boolean | undefined;
  /** Chooses among the files that the name stands for. Default: all. */
  readonly choose?: ((paths: readonly string[]) => readonly string[]) | undefined;
  /** Called as bytes of a file arrive. */
  readonly onProgress?: ((progress: { path: string; received: number; size: number }) => void) | undefined;
}

export interface HubSnapshot {
  /** The name with the commit as its revision. */
  readonly name: string;
  /** Where the files of this commit are; paths below it are those of the repository. */
  readonly folder: string;
  /** Paths on this machine, sorted. */
  readonly files: string[];
}

/** Whether `name` is a dataset or model on the Hub, `hf://…`, for {@link fetchFromHub}. */
export const isHubName = (name: string) => typeof name === 'string' && name.startsWith(SCHEME);

/** @throws DataError for a name of another form */
export function parseHubName(name: string): HubName {
  const [, kind, repository, revision, path] =
    /^hf:\/\/(datasets\/)?([\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.*))?$/.exec(name) ?? [];
  const below = (path ?? '').replace(/\/+$/, '');
  const decoded = decode(revision ?? 'main');
  if (
    repository === undefined ||
    repository.startsWith('datasets/') ||
    decoded === undefined ||
    // Checked as they are joined to paths: after decoding.
    ![repository, decoded, below || 'all'].every(staysBelow)
  ) {
    throw new DataError(
      `${name} is no name of the hub; write hf://datasets/ORG/NAME or hf://ORG/NAME, and /PATH for a file.`,
    );
  }
  return { type: kind ? 'dataset' : 'model', repository, revision: decoded, path: below };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Brings the files that a name stands for into the cache, each checked against the hub's size and hash, and says where
 * they are. A download that broke off continues where it stopped. What is in the cache is not loaded again, unless its
 * size or hash is wrong: a process reads each file once to know. Without a network the cache is enough. The commit is
 * fixed first, so that all files are of one commit, and the result's name names it.
 *
 * @throws NetworkError for what the hub does not have or does not give
 * @throws DataError for a name of another form, and for a file that is not what the hub says
 * @throws NetworkError without a network for what is not in the cache, with the address to load and the place to put it
 */
export async function fetchFromHub(name: string, options: HubOptions = {}): Promise<HubSnapshot> {
  checkArguments('fetchFromHub', { name }, { name: option.string });
  checkOptions<HubOptions>('fetchFromHub', options, {
    hubUrl: option.string,
    cacheDir: option.string,
    accessToken: option.string,
    offline: option.boolean,
    choose: option.function,
    onProgress: option.function,
    signal: option.signal,
  });
  const { signal } = options;
  signal?.throwIfAborted();
  const target = parseHubName(name);
  const hub = new Hub(name, target, options);
  const commit = await hub.commit();
  const listing = await hub.listing(commit);
  const folder = hub.snapshot(commit);
  const wanted = filesOf(
    listing.map(({ path }) => path),
    target.path,
  );
  if (wanted.length === 0) throw new DataError(`${name} has no such file; see ${hub.page} for what there is.`);
  const chosen = new Set(options.choose?.(wanted) ?? wanted);
  if (chosen.size === 0) throw new DataError(`${name} has no file of a known format; name a file: see ${hub.page}.`);
  for (const file of listing) {
    signal?.throwIfAborted();
    if (chosen.has(file.path)) await hub.bring(commit, file);
  }
  const kind = target.type === 'dataset' ? 'datasets/' : '';
  const pinned = `${SCHEME}${kind}${target.repository}@${commit}${target.path && `/${target.path}`}`;
  return { name: pinned, folder, files: [...chosen].sort().map((path) => join(folder, path)) };
}

/** The file, what is in the folder, or what the glob matches. */
function filesOf(paths: readonly string[], wanted: string): string[] {
  if (wanted === '' || paths.includes(wanted)) return paths.filter((path) => wanted === '' || path === wanted);
  const source = wanted
    .split('/')
    .map((part) => (part === '**' ? '(?:.+/)?' : `${globPart(part)}/`))
    .join('')
    .replace(/\/$/, '');
  const pattern = new RegExp(`^${source}$`);
  return paths.filter((path) => path.startsWith(`${wanted}/`) || pattern.test(path));
}

const globPart = (part: string) =>
  part
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');

/** Names and hashes become paths, so that those of a foreign hub or of a changed cache are checked. */
const listingSchema = z.lazy(() =>
  z.array(
    z.object({
      path: z.string().check(z.refine(staysBelow)),
      size: z.int().check(z.minimum(0)),
      oid: z.string().check(z.regex(HASH)),
      sha256: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
    }),
  ),
);

/** One repository of the hub and its place in the cache. */
class Hub {
  readonly #url: string;
  readonly #cache: HubCache;
  readonly #accessToken: string | undefined;
  readonly #offline: boolean;

  constructor(
    private readonly name: string,
    private readonly target: HubName,
    private readonly options: HubOptions,
  ) {
    this.#url = (options.hubUrl ?? environment('HF_ENDPOINT') ?? HUB_URL).replace(/\/+$/, '');
    this.#accessToken = options.accessToken ?? environment('HF_TOKEN');
    this.#offline = options.offline ?? environment('HF_HUB_OFFLINE') === '1';
    const cache = options.cacheDir ?? cacheFolder();
    this.#cache = new HubCache(cache, join(cache, `${target.type}s--${target.repository.replace('/', '--')}`));
  }

  /** Where a browser shows the files. */
  get page(): string {
    return `${this.#address}/tree/${this.target.revision}`;
  }

  get #address(): string {
    return `${this.#url}/${this.target.type === 'dataset' ? 'datasets/' : ''}${this.target.repository}`;
  }

  get #parameters() {
    const { signal } = this.options;
    return {
      hubUrl: this.#url,
      ...(this.#accessToken ? { accessToken: this.#accessToken } : {}),
      ...(signal && {
        fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, { ...init, signal }),
      }),
    };
  }

  get #repo() {
    return { type: this.target.type, name: this.target.repository };
  }

  snapshot(commit: string): string {
    return this.#cache.snapshot(commit);
  }

  /** The commit of the revision, as the hub says or, without it, the cache; a revision whose files were put there by hand. */
  async commit(): Promise<string> {
    const { type, repository, revision } = this.target;
    if (COMMIT.test(revision)) return revision;
    return this.#ask(
      async () => {
        const { datasetInfo, modelInfo } = await import('@huggingface/hub');
        const parameters = { name: repository, revision, additionalFields: ['sha' as const], ...this.#parameters };
        const { sha } = type === 'dataset' ? await datasetInfo(parameters) : await modelInfo(parameters);
        if (!COMMIT.test(sha)) {
          throw new NetworkError(
            `The hub names ${JSON.stringify(sha)} as the commit of ${this.name}; check HF_ENDPOINT.`,
          );
        }
        await this.#cache.write(sha, 'refs', revision);
        return sha;
      },
      async () => {
        const known = (await this.#cache.read('refs', revision))?.trim();
        if (known !== undefined && COMMIT.test(known)) return known;
        return (await this.#cache.hasSnapshot(revision)) ? revision : undefined;
      },
    );
  }

  /** The files of a commit. A commit never changes, so that a listing is asked for once. */
  async listing(commit: string): Promise<HubFile[]> {
    const kept = ['listings', `${commit}.json`];
    const earlier = await this.#cache.read(...kept);
    if (earlier !== undefined) {
      const { data } = safeParse(listingSchema, parseJson(earlier));
      if (data) return data;
    }
    return this.#ask(
      async () => {
        const { listFiles } = await import('@huggingface/hub');
        const files: HubFile[] = [];
        for await (const entry of listFiles({
          repo: this.#repo,
          recursive: true,
          revision: commit,
          ...this.#parameters,
        })) {
          if (entry.type !== 'file') continue;
          const file = { path: entry.path, size: entry.size, oid: entry.oid ?? '', sha256: entry.lfs?.oid };
          this.#checkListed(file);
          files.push(file);
        }
        await this.#cache.write(JSON.stringify(files), ...kept);
        return files;
      },
      async () => {
        const files = await this.#cache.files(commit);
        return files.length > 0 ? files : undefined;
      },
    );
  }

  /** Makes sure that a file is in the snapshot, whole. */
  async bring(commit: string, file: HubFile): Promise<void> {
    const place = await this.#cache.place('snapshots', commit, file.path);
    if (await isIntact(place, file)) return;
    const hash = file.sha256 ?? file.oid;
    const blob = await this.#cache.place('blobs', hash);
    if (!(await isIntact(blob, file))) {
      // Where an earlier attempt may have left something.
      await this.#cache.place('blobs', `${hash}.incomplete`);
      const isDamaged = ((await statOf(place)) ?? (await statOf(blob))) !== undefined;
      await this.#ask(
        async () => {
          const { downloadFile } = await import('@huggingface/hub');
          const open = async () => {
            const content = await downloadFile({
              repo: this.#repo,
              path: file.path,
              revision: commit,
              ...this.#parameters,
            });
            if (content === null) throw new DataError(`${this.name} has no ${file.path} any more.`);
            return content;
          };
          await downloadVerified(file, open, blob, this.options);
          return true;
        },
        async () => undefined,
        { path: file.path, isDamaged },
      );
    }
    await this.#cache.link(place, blob);
  }

  /** @throws unless a file's name and hashes are such as stay below the cache */
  #checkListed(file: HubFile): void {
    if (!staysBelow(file.path)) {
      throw new DataError(
        `${this.name} has a file named ${JSON.stringify(file.path)}, which would be outside the cache; it is not loaded.`,
      );
    }
    const hash = file.sha256 ?? file.oid;
    if (!HASH.test(file.oid) || !HASH.test(hash) || !Number.isSafeInteger(file.size) || file.size < 0) {
      throw new NetworkError(
        `The hub lists ${file.path} of ${this.name} with the hash ${JSON.stringify(hash)} and ${file.size} bytes; check HF_ENDPOINT.`,
      );
    }
  }

  /** Asks the hub, or the cache where the hub cannot be reached. */
  async #ask<T>(
    online: () => Promise<T>,
    cached: () => Promise<T | undefined>,
    file: { path: string; isDamaged: boolean } = { path: this.target.path, isDamaged: false },
  ): Promise<T> {
    let why = 'HF_HUB_OFFLINE is set';
    if (!this.#offline) {
      try {
        return await online();
      } catch (error) {
        this.options.signal?.throwIfAborted();
        const reason = networkFault(error);
        if (reason === undefined) throw this.#explain(error);
        why = reason;
      }
    }
    const known = await cached();
    if (known !== undefined) return known;
    throw new DataError(this.#whatToLoad(why, file));
  }

  #whatToLoad(why: string, { path, isDamaged }: { path: string; isDamaged: boolean }): string {
    const { revision } = this.target;
    const place = this.snapshot(revision);
    const isFile = path !== '' && !/[*?]/.test(path);
    const what = isFile
      ? `load ${this.#address}/resolve/${revision}/${path} and save it as ${join(place, path)}`
      : `load the files of ${this.page} and save them in ${place}`;
    const cached = isDamaged ? `its copy of ${path} in the cache is damaged` : 'is not in the cache';
    return `${this.name} cannot be reached (${why}) and ${cached}; ${what}.`;
  }

  #explain(error: unknown): Error {
    const status = (error as { statusCode?: number }).statusCode;
    if (status === undefined) return error as Error;
    const options = { cause: error };
    if (status === 401 || status === 403) {
      return new NetworkError(
        `The hub does not give ${this.name} (status ${status}); check the name, ask for access at ${this.#address}, and set HF_TOKEN.`,
        options,
      );
    }
    if (status === 404) {
      return new NetworkError(
        `The hub does not have ${this.name}; check the name and the revision at ${this.#address}.`,
        options,
      );
    }
    return new NetworkError(`The hub failed at ${this.name} (status ${status}); try again later.`, options);
  }
}

function cacheFolder(): string {
  const user = environment('HOME') ?? environment('USERPROFILE') ?? '.';
  const caches = environment('XDG_CACHE_HOME') ?? join(user, '.cache');
  const home = environment('HF_HOME') ?? join(caches, 'huggingface');
  return environment('HF_HUB_CACHE') ?? environment('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub');
}

/** Why the network failed; undefined for an error of another kind. */
function networkFault(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (/^(?:E(?:NOTFOUND|CONN|AI_|HOST|NET|PIPE|TIMEDOUT)|UND_ERR|CERT_|DEPTH_ZERO|SELF_SIGNED)/.test(code ?? ''))
      return code;
  }
  return error instanceof TypeError && error.message === 'fetch failed' ? error.message : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
