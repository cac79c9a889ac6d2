import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/data/dataset/open-dataset.ts';
import { fetchFromHub, type HubOptions, parseHubName } from '../../../src/data/source/hub.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';
const later = 'fedcba9876543210fedcba9876543210fedcba98';
const jsonl = (...texts: string[]) => texts.map((text) => JSON.stringify({ text })).join('\n');
const big = Buffer.from('0123456789\n'.repeat(20_000));

/** What the imitated hub has in org/some, and how it behaves. */
const files: Record<string, Buffer> = {
  'README.md': Buffer.from('# Some'),
  'dataset_infos.json': Buffer.from('{}'),
  'data/train-00000-of-00002.jsonl': Buffer.from(jsonl('one', 'two')),
  'data/train-00001-of-00002.jsonl': Buffer.from(jsonl('three')),
  'data/validation.jsonl': Buffer.from(jsonl('four')),
  'big.txt': big,
  'empty.txt': Buffer.alloc(0),
};
const large = new Set(['big.txt']);
interface Behaviour {
  head: string;
  /** Bytes of big.txt after which the connection breaks. */
  breakAfter?: number;
  /** Answers with other bytes than it lists. */
  corrupt?: number;
  token?: string;
  /** Says this of every file. */
  listed?: Record<string, unknown>;
}
let behaviour: Behaviour = { head: commit };
const requests: string[] = [];

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const gitOid = (data: Buffer) => createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

let server: Server;
let hubUrl = '';
let cacheDir = '';
let root = '';
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'hub-'));
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://hub');
    requests.push(`${pathname}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    if (behaviour.token && request.headers.authorization !== `Bearer ${behaviour.token}`)
      return json({ error: 'no' }, 401);
    const info = /^\/api\/(datasets|models)\/org\/some\/revision\/(.+)$/.exec(pathname);
    if (info) {
      const known = { main: behaviour.head, HEAD: behaviour.head, 'refs/convert/parquet': later }[
        decodeURIComponent(info[2]!)
      ];
      if (!known) return json({ error: 'Invalid rev id' }, 404);
      return json({
        _id: '1',
        id: 'org/some',
        sha: known,
        private: false,
        gated: false,
        downloads: 1,
        likes: 1,
        lastModified: '2024-01-01T00:00:00.000Z',
      });
    }
    if (/^\/api\/(datasets|models)\/org\/some\/tree\/[0-9a-f]{40}$/.test(pathname)) {
      expect(searchParams.get('recursive')).toBe('true');
      return json([
        { type: 'directory', oid: 'd', size: 0, path: 'data' },
        ...Object.entries(files).map(([path, data]) => ({
          type: 'file',
          path,
          size: data.length,
          oid: large.has(path) ? 'f'.repeat(40) : gitOid(data),
          ...(large.has(path) ? { lfs: { oid: sha256(data), size: data.length, pointerSize: 130 } } : {}),
          ...behaviour.listed,
        })),
      ]);
    }
    const resolve = /^\/(?:datasets\/)?org\/some\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(pathname);
    const data = resolve && files[resolve[1]!];
    if (!data) return json({ error: 'Not found' }, 404);
    let bytes = Buffer.from(data);
    if (behaviour.corrupt) {
      behaviour.corrupt--;
      bytes[0]! ^= 1;
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const headers: Record<string, string> = { etag: '"e"', 'content-type': 'application/octet-stream' };
    if (from !== undefined) {
      headers['content-range'] = `bytes ${from}-${to}/${bytes.length}`;
      bytes = bytes.subarray(Number(from), Number(to) + 1);
    }
    response.writeHead(from === undefined ? 200 : 206, { ...headers, 'content-length': String(bytes.length) });
    if (behaviour.breakAfter !== undefined && bytes.length > behaviour.breakAfter) {
      response.write(bytes.subarray(0, behaviour.breakAfter), () => setTimeout(() => response.destroy(), 50));
    } else response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  nowhere = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
  await new Promise((resolve) => closed.close(resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  cacheDir = mkdtempSync(join(root, 'cache-'));
  behaviour = { head: commit };
  requests.length = 0;
});

const fetchName = (name: string, options: HubOptions = {}) =>
  fetchFromHub(name, { hubUrl, cacheDir, accessToken: '', offline: false, ...options });
/** An address where nobody listens. */
let nowhere = '';
const snapshots = () => join(cacheDir, 'datasets--org--some/snapshots');

test.each([
  ['hf://datasets/org/some', { type: 'dataset', repository: 'org/some', revision: 'main', path: '' }],
  ['hf://org/some/a/b.bin', { type: 'model', repository: 'org/some', revision: 'main', path: 'a/b.bin' }],
  ['hf://datasets/org/some@v1.0/a*/', { type: 'dataset', repository: 'org/some', revision: 'v1.0', path: 'a*' }],
  [
    'hf://datasets/o.r-g/s_m@refs%2Fconvert%2Fparquet',
    { type: 'dataset', repository: 'o.r-g/s_m', revision: 'refs/convert/parquet', path: '' },
  ],
])('%s', (name, expected) => expect(parseHubName(name)).toEqual(expected));

test.each([
  'hf://some',
  'hf://datasets/org',
  'hf://datasets/org/some/../../x',
  'hf://a b/c',
  'hf://../x/y',
  'hf://datasets/org/some@..%2f..%2foutside',
  'hf://datasets/org/some@..%2F..%2Foutside/a.txt',
  'hf://datasets/org/some@..',
  'hf://datasets/org/some@%2e%2e',
  'hf://datasets/org/some@main%2f..%2f..%2fx',
  'hf://datasets/org/some@%2fetc',
  'hf://datasets/org/some@..%5c..%5coutside',
  'hf://datasets/org/some@main%00',
  'hf://datasets/org/some@%E0%A4%A',
  'hf://datasets/org/some/a/./b',
  'hf://datasets/org/some/..\\..\\x',
])('%s is no name', (name) => {
  expect(() => parseHubName(name)).toThrow(`${name} is no name of the hub; write hf://datasets/ORG/NAME`);
});

describe('fetchFromHub', () => {
  test('brings files into the cache that other programs use, of one commit', async () => {
    const progress: number[] = [];
    const {
      name,
      folder,
      files: paths,
    } = await fetchName('hf://datasets/org/some', {
      onProgress: ({ path, received, size }) => path === 'big.txt' && progress.push(received / size),
    });
    expect(name).toBe(`hf://datasets/org/some@${commit}`);
    expect(folder).toBe(join(snapshots(), commit));
    expect(paths.map((path) => path.slice(folder.length + 1))).toEqual(Object.keys(files).sort());
    for (const [path, data] of Object.entries(files)) expect(readFileSync(join(folder, path)).equals(data)).toBe(true);
    expect(readFileSync(join(cacheDir, 'datasets--org--some/refs/main'), 'utf8')).toBe(commit);
    const blobs = readdirSync(join(cacheDir, 'datasets--org--some/blobs')).sort();
    expect(blobs).toEqual(
      Object.entries(files)
        .map(([path, data]) => (large.has(path) ? sha256(data) : gitOid(data)))
        .sort(),
    );
    expect(progress.at(-1)).toBe(1);
  });

  test.each([
    [
      'hf://datasets/org/some/data',
      ['data/train-00000-of-00002.jsonl', 'data/train-00001-of-00002.jsonl', 'data/validation.jsonl'],
    ],
    ['hf://datasets/org/some/data/train-*', ['data/train-00000-of-00002.jsonl', 'data/train-00001-of-00002.jsonl']],
    ['hf://datasets/org/some/**/v?lidation.jsonl', ['data/validation.jsonl']],
    ['hf://datasets/org/some/*.txt', ['big.txt', 'empty.txt']],
    ['hf://org/some/README.md', ['README.md']],
  ])('%s', async (name, expected) => {
    const { folder, files: paths } = await fetchName(name);
    expect(paths.map((path) => path.slice(folder.length + 1))).toEqual(expected);
  });

  test('what is there is not loaded again, and needs no network', async () => {
    const first = await fetchName('hf://datasets/org/some/data');
    requests.length = 0;
    expect(await fetchName('hf://datasets/org/some/data')).toEqual(first);
    expect(requests).toEqual(['/api/datasets/org/some/revision/main']);
    requests.length = 0;
    expect(await fetchName(first.name)).toEqual(first);
    expect(await fetchName('hf://datasets/org/some/data', { offline: true })).toEqual(first);
    expect(requests).toEqual([]);
    expect(await fetchName('hf://datasets/org/some/data', { hubUrl: nowhere })).toEqual(first);
    behaviour.head = later;
    const second = await fetchName('hf://datasets/org/some/data');
    expect(second.name).toBe(`hf://datasets/org/some@${later}/data`);
    expect(requests.filter((request) => request.includes('/resolve/'))).toEqual([]);
  });

  test('a signal stops a download, and the next call continues it', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ path }: { path: string }) => path === 'big.txt' && stop.abort(reason);
    const stopped = fetchName('hf://datasets/org/some', { signal: stop.signal, onProgress });
    await expect(stopped).rejects.toBe(reason);
    const asked = requests.length;
    await expect(fetchName('hf://datasets/org/some', { signal: stop.signal })).rejects.toBe(reason);
    expect(requests.length).toBe(asked);
    const { files: found } = await fetchName('hf://datasets/org/some');
    expect(found.map((path) => readFileSync(path))).toEqual(
      Object.keys(files)
        .sort()
        .map((path) => files[path]),
    );
  });

  test('a download that broke off continues where it stopped', async () => {
    behaviour.breakAfter = 70_000;
    await expect(fetchName('hf://datasets/org/some/big.txt')).rejects.toThrow(
      /^The download of big\.txt broke off after 70000 of 220000 bytes \([^\n]+\); start again to continue there\.$/,
    );
    const partial = join(cacheDir, 'datasets--org--some/blobs', `${sha256(big)}.incomplete`);
    expect(statSync(partial).size).toBe(70_000);
    behaviour = { head: commit };
    requests.length = 0;
    const {
      files: [path],
    } = await fetchName('hf://datasets/org/some/big.txt');
    expect(readFileSync(path!).equals(big)).toBe(true);
    expect(requests.at(-1)).toContain(' bytes=70000-219999');
    expect(readdirSync(dirname(partial))).toEqual([sha256(big)]);
  });

  test('a wrong beginning is thrown away, and the file loaded from the start', async () => {
    const blobs = join(cacheDir, 'datasets--org--some/blobs');
    mkdirSync(blobs, { recursive: true });
    for (const earlier of [Buffer.alloc(5000), Buffer.alloc(300_000), big.subarray(0, 219_999)]) {
      writeFileSync(join(blobs, `${sha256(big)}.incomplete`), earlier);
      const {
        files: [path],
      } = await fetchName('hf://datasets/org/some/big.txt');
      expect(readFileSync(path!).equals(big)).toBe(true);
      rmSync(join(cacheDir, 'datasets--org--some'), { recursive: true });
      mkdirSync(blobs, { recursive: true });
    }
  });

  test('a file that is not what the hub lists is loaded twice and then refused', async () => {
    for (const path of ['big.txt', 'README.md']) {
      // One answer says the size, the next has the file.
      behaviour.corrupt = 2;
      const {
        files: [first],
      } = await fetchName(`hf://datasets/org/some/${path}`);
      expect(readFileSync(first!).equals(files[path]!)).toBe(true);
      rmSync(join(cacheDir, 'datasets--org--some'), { recursive: true });
      behaviour.corrupt = 4;
      await expect(fetchName(`hf://datasets/org/some/${path}`)).rejects.toThrow(
        `${path} arrived with another hash than the hub lists; try again later.`,
      );
      expect(readdirSync(join(cacheDir, 'datasets--org--some/blobs'))).toEqual([]);
      rmSync(join(cacheDir, 'datasets--org--some'), { recursive: true });
    }
  });

  test('without a network it says what to load and where to put it, and takes it from there', async () => {
    const name = 'hf://datasets/org/some/data/validation.jsonl';
    const place = join(snapshots(), 'main/data/validation.jsonl');
    const load = `load ${nowhere}/datasets/org/some/resolve/main/data/validation.jsonl and save it as ${place}.`;
    await expect(fetchName(name, { hubUrl: nowhere })).rejects.toThrow(
      `${name} cannot be reached (ECONNREFUSED) and is not in the cache; ${load}`,
    );
    await expect(fetchName(name, { hubUrl: nowhere, offline: true })).rejects.toThrow(`(HF_HUB_OFFLINE is set)`);
    await expect(fetchName('hf://datasets/org/some', { hubUrl: nowhere })).rejects.toThrow(
      `load the files of ${nowhere}/datasets/org/some/tree/main and save them in ${join(snapshots(), 'main')}.`,
    );
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, jsonl('by hand'));
    expect((await fetchName(name, { hubUrl: nowhere })).files).toEqual([place]);
  });

  test('without a network a part of what is wanted is not taken for the whole', async () => {
    await fetchName('hf://datasets/org/some/data/validation.jsonl');
    await expect(fetchName('hf://datasets/org/some/data', { hubUrl: nowhere })).rejects.toThrow(
      `resolve/main/data/train-00000-of-00002.jsonl and save it as`,
    );
  });

  test('says what the hub does not have or does not give', async () => {
    await expect(fetchName('hf://datasets/org/none')).rejects.toThrow(
      'The hub does not have hf://datasets/org/none; check the name',
    );
    await expect(fetchName('hf://datasets/org/some@v9')).rejects.toThrow('does not have hf://datasets/org/some@v9');
    await expect(fetchName('hf://datasets/org/some/a.txt')).rejects.toThrow(
      'hf://datasets/org/some/a.txt has no such file',
    );
    behaviour.token = 'hf_secret';
    await expect(fetchName('hf://datasets/org/some')).rejects.toThrow(
      /does not give .* \(status 401\); .*set HF_TOKEN/,
    );
    const { files: paths } = await fetchName('hf://datasets/org/some/README.md', { accessToken: 'hf_secret' });
    expect(paths).toHaveLength(1);
  });
});

describe('the cache', () => {
  const name = 'hf://datasets/org/some/data/validation.jsonl';
  const folder = () => join(cacheDir, 'datasets--org--some');
  const validation = files['data/validation.jsonl']!;
  const secret = () => {
    const path = join(root, 'secret.jsonl');
    writeFileSync(path, jsonl('secret'));
    return path;
  };
  /** Nothing of the repository's is beside the cache. */
  const escaped = () => readdirSync(root).filter((name) => !name.startsWith('cache-') && name !== 'secret.jsonl');
  const leads = 'leads out of the cache';

  test('a cached file that is cut short or changed is loaded again', async () => {
    const first = await fetchName(name);
    const [path] = first.files;
    const blob = realpathSync(path!);
    const changes: [string, () => void][] = [
      ['cut', () => writeFileSync(blob, validation.subarray(0, 5))],
      ['longer', () => writeFileSync(blob, Buffer.concat([validation, validation]))],
      ['flipped', () => writeFileSync(blob, Buffer.from(validation.map((byte, i) => (i === 3 ? byte ^ 1 : byte))))],
      [
        'flipped, with its time',
        () => {
          const { atime, mtime } = statSync(blob);
          writeFileSync(blob, Buffer.from(validation.map((byte, i) => (i === 9 ? byte ^ 1 : byte))));
          utimesSync(blob, atime, mtime);
        },
      ],
      ['missing', () => rmSync(blob)],
      [
        'a file in place of the link',
        () => {
          rmSync(path!);
          writeFileSync(path!, 'x'.repeat(validation.length));
        },
      ],
    ];
    for (const [what, change] of changes) {
      change();
      const where =
        what === 'missing' ? 'is not in the cache' : 'its copy of data/validation.jsonl in the cache is damaged';
      if (what !== 'a file in place of the link')
        await expect(fetchName(name, { offline: true })).rejects.toThrow(where);
      expect(await fetchName(name)).toEqual(first);
      expect([what, readFileSync(path!, 'utf8')]).toEqual([what, validation.toString()]);
    }
    expect(lstatSync(path!).isSymbolicLink()).toBe(true);
    requests.length = 0;
    expect(await fetchName(first.name)).toEqual(first);
    expect(requests).toEqual([]);
  });

  test('without the listing the name of the blob has the hash', async () => {
    const first = await fetchName('hf://datasets/org/some/big.txt');
    rmSync(join(folder(), 'listings'), { recursive: true });
    expect(await fetchName(first.name, { offline: true })).toEqual(first);
    const blob = join(folder(), 'blobs', sha256(big));
    writeFileSync(blob, Buffer.from(big.map((byte, i) => (i === 100_000 ? byte ^ 1 : byte))));
    await expect(fetchName(first.name, { offline: true })).rejects.toThrow(
      'its copy of big.txt in the cache is damaged',
    );
  });

  test('what refs and cached listings name is not followed outside', async () => {
    const outside = join(cacheDir, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'validation.jsonl'), jsonl('secret'));
    await expect(fetchName('hf://datasets/org/some@..%2f..%2foutside', { offline: true })).rejects.toThrow(
      'is no name',
    );
    mkdirSync(join(folder(), 'refs'), { recursive: true });
    writeFileSync(join(folder(), 'refs/main'), '../../outside');
    await expect(fetchName('hf://datasets/org/some', { offline: true })).rejects.toThrow('is not in the cache');

    const listing = join(folder(), 'listings', `${commit}.json`);
    mkdirSync(dirname(listing));
    const entry = { path: 'data/validation.jsonl', size: validation.length, oid: gitOid(validation) };
    for (const change of [
      { path: '../../../outside/validation.jsonl' },
      { path: '/etc/passwd' },
      { path: 'a\\..\\..\\b' },
      { oid: '../../../outside' },
      { sha256: `../${'a'.repeat(61)}` },
      { size: -1 },
    ]) {
      writeFileSync(listing, JSON.stringify([{ ...entry, ...change }]));
      const { files: paths } = await fetchName(`hf://datasets/org/some@${commit}/data/validation.jsonl`);
      expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual([validation.toString()]);
      expect(JSON.parse(readFileSync(listing, 'utf8'))).toHaveLength(Object.keys(files).length);
      rmSync(join(folder(), 'snapshots'), { recursive: true });
    }
  });

  test.each<[string, Record<string, unknown>]>([
    ['oid', { oid: '../../../../escaped' }],
    ['oid', { oid: '' }],
    ['hash', { lfs: { oid: '../../../../escaped', size: 1, pointerSize: 1 } }],
    ['path', { path: '../../../../escaped' }],
    ['path', { path: '..\\escaped' }],
  ])('a hostile endpoint names no file outside, by its %s', async (_, listed) => {
    behaviour.listed = listed;
    await expect(fetchName(name)).rejects.toThrow(
      /check HF_ENDPOINT\.$|would be outside the cache; it is not loaded\.$/,
    );
    expect(escaped()).toEqual([]);
    expect(existsSync(join(folder(), 'blobs'))).toBe(false);
  });

  test('a hostile endpoint names no folder outside, by its commit', async () => {
    behaviour.head = '../../../escaped';
    await expect(fetchName(name)).rejects.toThrow('The hub names "../../../escaped" as the commit of hf://');
    expect(existsSync(folder())).toBe(false);
  });

  test('links are not followed outside, neither to read nor to write', async () => {
    const { files: paths } = await fetchName(name);
    const blob = realpathSync(paths[0]!);
    const at = (target: string, link: string) => {
      rmSync(link, { recursive: true, force: true });
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(target, link);
    };
    at(secret(), paths[0]!);
    for (const offline of [false, true]) await expect(fetchName(name, { offline })).rejects.toThrow(leads);
    rmSync(paths[0]!);
    at(secret(), blob);
    await expect(fetchName(name)).rejects.toThrow(leads);
    rmSync(blob);
    // A link to a file that is not there yet.
    at(join(root, 'escaped'), `${blob}.incomplete`);
    await expect(fetchName(name)).rejects.toThrow(leads);
    rmSync(`${blob}.incomplete`);
    at(root, dirname(paths[0]!));
    await expect(fetchName(name)).rejects.toThrow(leads);
    rmSync(dirname(paths[0]!));
    at(secret(), join(folder(), 'refs/main'));
    await expect(fetchName(name)).rejects.toThrow(leads);
    rmSync(join(folder(), 'refs/main'));
    expect((await fetchName(name)).files).toEqual(paths);
    expect(readFileSync(secret(), 'utf8')).toBe(jsonl('secret'));
    expect(escaped()).toEqual([]);
  });

  test('a repository may lie elsewhere', async () => {
    const elsewhere = mkdtempSync(join(root, 'cache-elsewhere-'));
    symlinkSync(elsewhere, folder());
    const { files: paths } = await fetchName(name);
    expect(readFileSync(paths[0]!, 'utf8')).toBe(validation.toString());
    expect(readdirSync(elsewhere).sort()).toEqual(['blobs', 'listings', 'refs', 'snapshots']);
  });
});

test('a dataset opens by its name on the hub, with its parts, and names the commit', async () => {
  const dataset = await openDataset(
    { data: ['hf://datasets/org/some/data'] },
    { hub: { hubUrl, cacheDir, offline: false } },
  );
  expect(dataset.configuration.data).toEqual([`hf://datasets/org/some@${commit}/data`]);
  expect([dataset.format, dataset.split]).toEqual(['jsonl', { by: 'given' }]);
  const texts: string[] = [];
  for await (const { read, part } of dataset.documents()) {
    for await (const text of read()) texts.push(`${part}: ${text}`);
  }
  expect(texts).toEqual(['train: one', 'train: two', 'train: three', 'heldOut: four']);
  const all = await openDataset({ data: ['hf://datasets/org/some'] }, { hub: { hubUrl, cacheDir, offline: false } });
  expect(all.files).toHaveLength(3);
});
