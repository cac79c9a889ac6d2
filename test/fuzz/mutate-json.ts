/** Edits of the tree of a JSON text. The tree can hold what values cannot: keys twice, numbers of any size, any depth. */
import type { Random } from '../../src/base/random.ts';
import { bytes, text } from './files.ts';
import { mutateBytes, pick } from './mutate-bytes.ts';

type Node =
  | { readonly kind: 'object'; readonly entries: [key: string, value: Node][] }
  | { readonly kind: 'array'; readonly items: Node[] }
  /** Written as it stands. */
  | { readonly kind: 'raw'; readonly text: string };

function nodeOf(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(nodeOf) };
  if (typeof value !== 'object' || value === null) return { kind: 'raw', text: JSON.stringify(value) };
  return { kind: 'object', entries: Object.entries(value).map(([key, item]) => [key, nodeOf(item)]) };
}

function write(node: Node): string {
  if (node.kind === 'raw') return node.text;
  if (node.kind === 'array') return `[${node.items.map(write).join(',')}]`;
  return `{${node.entries.map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(',')}}`;
}

/** A place that holds a node, so that the node can be replaced. */
interface Place {
  readonly node: Node;
  replace(node: Node): void;
}

function placesIn(root: { node: Node }): Place[] {
  const places: Place[] = [];
  const visit = (node: Node, replace: (node: Node) => void) => {
    places.push({ node, replace });
    if (node.kind === 'array') {
      for (const [i, item] of node.items.entries()) visit(item, (other) => node.items.splice(i, 1, other));
    } else if (node.kind === 'object') {
      for (const entry of node.entries) visit(entry[1], (other) => entry.splice(1, 1, other));
    }
  };
  visit(root.node, (other) => {
    root.node = other;
  });
  return places;
}

const raw = (content: string): Node => ({ kind: 'raw', text: content });

const nested = (depth: number) => raw(`${'['.repeat(depth)}${']'.repeat(depth)}`);
const nestedObjects = (depth: number) => raw(`${'{"a":'.repeat(depth)}0${'}'.repeat(depth)}`);

/** Values that stand where others are expected. */
const ODD_VALUES: readonly (() => Node)[] = [
  ...['null', 'true', 'false', '""', '"a"', '[]', '{}', '[null]', '{"a":1}', '"__proto__"', '"../../etc/passwd"'].map(
    (content) => () => raw(content),
  ),
  ...['0', '-0', '-1', '1', '0.5', '1e-320', '3', '65536', '16777217', '2147483647', '2147483648', '4294967295'].map(
    (content) => () => raw(content),
  ),
  ...['4294967296', '9007199254740992', '18446744073709551616', '1e308', '1e999', '-1e999'].map(
    (content) => () => raw(content),
  ),
  ...['"\\u0000"', '"\\ud800"', '"\\udc00x"', '"\\ufeff"', '"NaN"', '"1e9"'].map((content) => () => raw(content)),
  () => raw(`"${'long '.repeat(10_000)}"`),
  () => nested(100),
  () => nested(20_000),
  () => nestedObjects(5000),
  () => raw(`[${Array.from({ length: 5000 }, (_, i) => i).join(',')}]`),
];

const ODD_KEYS = ['__proto__', 'constructor', 'toString', 'length', '', 'a', '0', 'then', '\u0000'];

type Edit = (random: Random, root: { node: Node }) => void;

const chosen = (random: Random, root: { node: Node }) => pick(random, placesIn(root));

function chosenOf<K extends Node['kind']>(random: Random, root: { node: Node }, kind: K) {
  const places = placesIn(root).filter(({ node }) => node.kind === kind);
  return places.length === 0 ? undefined : (pick(random, places).node as Extract<Node, { kind: K }>);
}

/** The entries of an object that has some. */
function someEntries(random: Random, root: { node: Node }) {
  const entries = chosenOf(random, root, 'object')?.entries;
  return entries && entries.length > 0 ? entries : undefined;
}

const edits: readonly Edit[] = [
  function replaceValue(random, root) {
    chosen(random, root).replace(pick(random, ODD_VALUES)());
  },
  function replaceLeaf(random, root) {
    const leaves = placesIn(root).filter(({ node }) => node.kind === 'raw');
    if (leaves.length > 0) pick(random, leaves).replace(pick(random, ODD_VALUES)());
  },
  function changeNumber(random, root) {
    const numbers = placesIn(root).filter(({ node }) => node.kind === 'raw' && /^-?\d/.test(node.text));
    if (numbers.length === 0) return;
    const { node, replace } = pick(random, numbers);
    const value = Number((node as { text: string }).text);
    const changed = pick(random, [-value, value + 1, value - 1, 2 * value, value / 2, 1000 * value, value * 2 ** 31]);
    replace(raw(Number.isFinite(changed) ? String(changed) : '1e999'));
  },
  function removeEntry(random, root) {
    const entries = someEntries(random, root);
    entries?.splice(random.integer(entries.length), 1);
  },
  function repeatEntry(random, root) {
    const entries = someEntries(random, root);
    if (!entries) return;
    const [key, value] = pick(random, entries);
    entries.push([key, random.integer(2) === 0 ? value : pick(random, ODD_VALUES)()]);
  },
  function renameEntry(random, root) {
    const entries = someEntries(random, root);
    if (!entries) return;
    const entry = pick(random, entries);
    entry[0] = pick(random, [`${entry[0]}x`, entry[0].slice(1), ...ODD_KEYS]);
  },
  function addEntry(random, root) {
    chosenOf(random, root, 'object')?.entries.push([pick(random, ODD_KEYS), pick(random, ODD_VALUES)()]);
  },
  function removeItem(random, root) {
    const node = chosenOf(random, root, 'array');
    if (node && node.items.length > 0) node.items.splice(random.integer(node.items.length), 1);
  },
  function repeatItem(random, root) {
    const node = chosenOf(random, root, 'array');
    if (!node || node.items.length === 0) return;
    const item = pick(random, node.items);
    for (let left = pick(random, [1, 2, 200]); left > 0; left--) node.items.push(item);
  },
  function moveValue(random, root) {
    const { replace } = chosen(random, root);
    // Its text, as a value that held itself would be endless.
    replace(raw(write(chosen(random, root).node)));
  },
];

const MOST_CHARACTERS = 2 ** 20;

/** A JSON text after one to five edits of its tree, one time in ten of its bytes. */
export function mutateJson(random: Random, whole: Uint8Array): Uint8Array {
  if (random.integer(10) === 0) return mutateBytes(random, whole);
  const root = { node: nodeOf(JSON.parse(text(whole))) };
  for (let left = pick(random, [1, 1, 2, 3, 5]); left > 0; left--) pick(random, edits)(random, root);
  const changed = write(root.node);
  return changed.length > MOST_CHARACTERS ? whole : bytes(changed);
}
