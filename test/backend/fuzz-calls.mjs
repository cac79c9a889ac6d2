// Calls every exported function and every method of a backend with wrong arguments:
// `node fuzz-calls.mjs BACKEND SECONDS SEED`. A process of its own, as what it looks for would end it. Around every
// block are numbers that no call may change.
import fc from 'fast-check';
import { publicEntries } from '../../scripts/entries.mjs';
import { exportCalls, methodsNotCalled, notCalled, takesData } from './export-calls.mjs';
import { checkLifetimes, counted, places, settle } from './fuzz-lifetimes.mjs';

const inNode = Object.keys(publicEntries).filter((entry) => !(`${entry}-node` in publicEntries) && entry !== 'index');
const library = Object.assign({}, ...(await Promise.all(inNode.map((entry) => import(`../../dist/${entry}.js`)))));

const [name, seconds, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
/** Rounds of 200 calls that are made however long they take. */
const ROUNDS = 15;
const GUARD = 16;
const CANARY = 12345;
const real = await library.createBackend({ backend: name, numThreads: 2 });
const other = await library.createBackend({ backend: name === 'reference' ? 'wasm' : 'reference', numThreads: 1 });
const wholes = new Map();

function allocate(length, type = 'float32') {
  if (!(Number.isSafeInteger(length) && length >= 0)) return real.allocate(length, type);
  // The machine may have that much, but not for this.
  if (length > 2 ** 24) throw new library.OutOfMemoryError(`The fuzzer has no ${length} elements.`);
  const whole = real.allocate(length + 2 * GUARD, type);
  real.fill(type === 'float64' ? real.allocate(0) : whole, CANARY);
  const part = real.slice(whole, GUARD, length);
  wholes.set(part, whole);
  return part;
}
async function checkGuards() {
  for (const [part, whole] of wholes) {
    if (part.type === 'float64') continue;
    const numbers = await real.read(whole);
    const around = [...numbers.slice(0, GUARD), ...numbers.slice(GUARD + part.length)];
    if (around.some((value) => value !== CANARY)) throw new Error('a neighbour of a block has changed');
  }
}
function upload(data, type) {
  const plain = real.upload(data, type);
  const part = allocate(plain.length, plain.type);
  real.copy(plain, part);
  real.release(plain);
  return part;
}
function release(part) {
  const whole = wholes.get(part);
  if (whole === undefined) return real.release(part);
  wholes.delete(part);
  return real.release(whole);
}
const overrides = { allocate, upload, release };
const { backend, count } = counted(
  new Proxy(real, {
    get: (target, key) =>
      overrides[key] ?? (typeof target[key] === 'function' ? target[key].bind(target) : target[key]),
  }),
);

const floats = (count) => upload(new Float32Array(count).fill(0.5));
const ints = (...values) => upload(Int32Array.from(values));
const dead = real.upload([1, 2, 3]);
real.release(dead);
const foreign = other.upload([1, 2, 3]);
const late = await library.createBackend({ backend: name, numThreads: 1 });
const lateTensor = library.tensor(late, [1, 2, 3, 4, 5, 6], [2, 3]);
late.close();
/** What an accessor of the caller's throws may come back as it is, as what a callback throws does. */
const refusal = new Error('refused by the caller');
function refuse() {
  throw refusal;
}
const trapped = [
  new Proxy({}, { get: refuse }),
  Object.defineProperty([1, 2], 0, { get: refuse, enumerable: true }),
  Object.defineProperty({ a: 1 }, 'a', { get: refuse, enumerable: true }),
];
const tensorOf = (...shape) =>
  library.tensor(backend, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.25), shape);

const sequences = () => ints(0, 0, 3, 0, 3, 0);
const heads = { heads: 2, lengthQ: 3, lengthK: 3, dHead: 4, dValue: 4, layout: 'bhld', numSequences: 1 };
const qkv = () => ({
  ...heads,
  q: floats(24),
  k: floats(24),
  v: floats(24),
  keyMask: floats(3),
  sequences: sequences(),
});
const gradients = () => ({ out: floats(24), dOut: floats(24), dQ: floats(24), dK: floats(24), dV: floats(24) });
const estimator = { numFeatures: 3, map: 'exponential', epsilon: 0, form: 'dense', factors: 0, directions: 3 };
const features = () => ({ ...estimator, projection: floats(12), bias: floats(3), weight: 0, stabiliser: 0 });
const givens = () => ({
  ...estimator,
  form: 'givens',
  factors: 1,
  projection: upload([0, 1, 1, 0, 1, 1, 1]),
  weight: 0,
  stabiliser: 0,
});
const state = () => ({ sums: floats(30), compensation: floats(30), scales: floats(6) });
const softmax = { causal: true, scale: 1, normalise: true };
const indices = () => ({
  ...{
    sequences: sequences(),
    order: ints(...[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]),
    chunks: ints(...new Array(12).fill(0)),
  },
  ...{ numSequences: 1, batch: 1, heads: 2, length: 3, dHead: 4, layout: 'bhld', chunkLength: 3, numHashes: 2 },
});
const lsh = () => ({
  ...{ ...indices(), q: floats(24), v: floats(24), keyMask: floats(3), dValue: 4, causal: false, scale: 1 },
  ...{ out: floats(24), references: floats(6), sums: floats(6) },
});
const lshSort = () => ({ ...indices(), q: floats(24), rotations: floats(16), numRotations: 2, numBuckets: 2 });
const norm = () => ({
  x: floats(6),
  gamma: floats(3),
  mean: floats(2),
  inverseDeviation: floats(2),
  rows: 2,
  width: 3,
});
const sequence = { batch: 1, heads: 2, length: 3, dHead: 4, layout: 'bhld' };

/** Valid arguments of every method of a backend, by name. */
const methods = {
  allocate: () => [3, 'float32'],
  upload: () => [[1, 2], 'float32'],
  write: () => [floats(3), [1, 2], 1],
  read: () => [floats(3)],
  slice: () => [floats(3), 1, 2],
  release: () => [floats(3)],
  trim: () => [],
  copy: () => [floats(3), floats(3)],
  gemm: () => [
    {
      a: floats(6),
      b: floats(6),
      c: floats(4),
      bias: floats(2),
      m: 2,
      n: 2,
      k: 3,
      batch: 1,
      lda: 3,
      ldb: 2,
      ldc: 2,
      strideA: 6,
      strideB: 6,
      strideC: 4,
      transposeA: false,
      transposeB: false,
      alpha: 1,
      accumulate: false,
    },
  ],
  fill: () => [floats(3), 1],
  add: () => [floats(3), floats(3), floats(3)],
  axpy: () => [1, floats(3), floats(3)],
  scaleRows: () => [{ x: floats(6), factors: floats(2), out: floats(6), rows: 2, width: 3 }],
  scale: () => [floats(3), floats(3), 2],
  activation: () => ['gelu', floats(3), floats(3)],
  activationBackward: () => ['gelu', floats(3), floats(3), floats(3)],
  sumAxis: () => [{ x: floats(12), out: floats(6), outer: 2, length: 2, inner: 3, accumulate: false }],
  stridedCopy: () => [{ x: floats(6), out: floats(6), layout: ints(3, 1, 2, 2, 3, 1), numAxes: 2, count: 6 }],
  binary: () => [
    {
      ...{ kind: 'divide', a: floats(6), b: floats(3), out: floats(6) },
      ...{ layout: ints(2, 3, 0, 3, 1, 1), numAxes: 2, count: 6 },
    },
  ],
  select: () => [
    {
      ...{ condition: floats(2), a: floats(6), b: floats(3), out: floats(6) },
      ...{ layout: ints(2, 1, 3, 0, 3, 0, 1, 1), numAxes: 2, count: 6 },
    },
  ],
  softmax: () => [{ x: floats(6), out: floats(6), rows: 2, width: 3, isLog: false }],
  softmaxBackward: () => [{ out: floats(6), dOut: floats(6), dX: floats(6), rows: 2, width: 3, isLog: true }],
  squaredNorm: () => [floats(3)],
  layerNorm: () => [{ ...norm(), beta: floats(3), out: floats(6), epsilon: 1e-5 }],
  layerNormBackward: () => [{ ...norm(), dOut: floats(6), dX: floats(6), dGamma: floats(3), dBeta: floats(3) }],
  embedding: () => [{ table: floats(12), ids: ints(0, 3), out: floats(6), count: 2, width: 3 }],
  embeddingBackward: () => [{ dTable: floats(12), ids: ints(0, 3), dOut: floats(6), count: 2, width: 3 }],
  rotary: () => [{ ...sequence, x: floats(24), out: floats(24), offset: 1, base: 10_000, inverse: false }],
  dropout: () => [{ x: floats(3), out: floats(3), rate: 0.5, seedLow: 1, seedHigh: 2, stream: 3 }],
  softmaxCrossEntropy: () => [
    {
      logits: floats(10),
      targets: ints(4, -1),
      loss: floats(2),
      correct: floats(2),
      dLogits: floats(10),
      rows: 2,
      vocabSize: 5,
      gradientScale: 1,
    },
  ],
  softmaxKlDivergence: () => [
    {
      logits: floats(10),
      targets: floats(10),
      loss: floats(2),
      correct: floats(2),
      dLogits: floats(10),
      rows: 2,
      vocabSize: 5,
      inverseTemperature: 1,
      gradientScale: 1,
    },
  ],
  adamW: () => [
    {
      parameter: floats(3),
      gradient: floats(3),
      firstMoment: floats(3),
      secondMoment: floats(3),
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.9,
      epsilon: 1e-8,
      weightDecay: 0,
      step: 1,
      gradientScale: 1,
    },
  ],
  softmaxAttention: () => [{ ...qkv(), ...softmax, out: floats(24), logSumExp: floats(6) }],
  softmaxAttentionBackward: () => [{ ...qkv(), ...softmax, ...gradients(), logSumExp: floats(6) }],
  lshSort: () => [lshSort()],
  lshAttention: () => [lsh()],
  lshAttentionBackward: () => [{ ...lsh(), dOut: floats(24), dQ: floats(24), dV: floats(24) }],
  favorFeatures: () => [{ ...givens(), ...sequence, x: floats(24), out: floats(18) }],
  favor: () => [{ ...qkv(), ...features(), ...state(), out: floats(24), denominator: floats(6) }],
  favorBackward: () => [{ ...qkv(), ...features(), ...state(), ...gradients(), denominator: floats(6) }],
  favorCausal: () => [
    {
      ...qkv(),
      ...givens(),
      out: floats(24),
      denominator: floats(6),
      ...state(),
      updateState: true,
      snapshots: floats(0),
    },
  ],
  favorCausalBackward: () => [
    { ...qkv(), ...features(), ...gradients(), denominator: floats(6), snapshots: floats(0) },
  ],
  favorStep: () => [
    {
      ...features(),
      ...state(),
      q: floats(8),
      k: floats(8),
      v: floats(8),
      out: floats(8),
      batch: 1,
      heads: 2,
      dHead: 4,
      dValue: 4,
    },
  ],
  peak: () => [{ out: floats(3), iterations: 1 }],
};
/** Methods that end the backend: tested in checked.test.ts. */
const unfuzzedMethods = ['constructor', 'close'];

const idsOf = (...values) => library.tensor(backend, Int32Array.from(values), [1, values.length]);

const plainJunk = [
  ...[-1, 0, 0.5, 1, 2, 3, 5, 7, 11, 100_000, 2 ** 31 - 1, 2 ** 31, 2 ** 40, -(2 ** 31), Number.NaN],
  ...[Number.POSITIVE_INFINITY, undefined, null, true, '3', 'x', 3n, Symbol.iterator, () => 1, new Float32Array(3)],
  ...[new BigInt64Array(2), [], {}, [1, 2], ['2', '2'], [-1, -4], [8, 0.5], new Map(), [Symbol('a')], [undefined]],
  ...[[[]], [null, null], new DataView(new ArrayBuffer(8)), Object.create(null), new Array(2), new Date(0)],
];
const makers = {
  dead: () => dead,
  foreign: () => foreign,
  short: () => floats(1),
  ids: () => ints(0, 1, 2),
  wild: () => ints(...new Array(24).fill(100_000)),
  // One step outside: what is written there is in the guards.
  near: () => ints(...Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? -1 : 5))),
  tensor: () => tensorOf(1, 2, 3, 4),
  wildTensor: () => idsOf(-1, 100_000),
  deadTensor: () => {
    const x = tensorOf(2, 3);
    x.dispose();
    return x;
  },
  foreignTensor: () => library.tensor(other, [1, 2, 3, 4, 5, 6], [2, 3]),
  lateTensor: () => lateTensor,
  late: () => lateTensor.storage,
  lateBackend: () => late,
  // What only looks like something else, or cannot be read.
  imitation: () => Object.create(library.Tensor.prototype),
  ...Object.fromEntries(trapped.map((trap, i) => [`trap${i}`, () => trap])),
};
const junk = fc.oneof(
  fc.constantFrom(...plainJunk),
  fc.constantFrom(...Object.keys(makers)).map((made) => ({ made })),
);
const made = (value) => (value !== null && typeof value === 'object' && 'made' in value ? makers[value.made]() : value);
const mutation = fc.record({ place: fc.nat(4000), value: junk, inside: fc.boolean() });

const numbers = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 11, 24, 1000, 1.5, Number.NaN, 2 ** 31 - 1, 2 ** 31, 2 ** 40];

/** Mostly wrong values of the same kind, as values of another kind are refused soon. */
function wrong(given, value, place) {
  if (place % 4 === 0) return made(value);
  if (typeof given === 'number') return numbers[place % numbers.length];
  if (typeof given !== 'object' || given === null || !('length' in given && 'type' in given)) return made(value);
  return makers[
    (given.type === 'int32' ? ['near', 'wild', 'near', 'short'] : ['short', 'dead', 'foreign', 'ids'])[place % 3]
  ]();
}

/** Replaces some arguments, or what is in them at any depth. */
function mutate(args, mutations) {
  for (const { place, value, inside } of mutations) {
    const at = args.length === 0 ? 0 : place % args.length;
    args[at] = replaced(args[at], value, Math.floor(place / 3), inside !== (place % 7 === 0));
  }
  return args;
}

/** A copy of `given` with something in its objects, arrays or maps replaced; or what stands for the whole. */
function replaced(given, value, place, inside) {
  const keys = inside && !trapped.includes(given) ? keysOf(given) : [];
  if (keys.length === 0) return wrong(given, value, place);
  const key = keys[place % keys.length];
  const rest = Math.floor(place / keys.length);
  if (given instanceof Map) return new Map(given).set(key, replaced(given.get(key), value, rest, rest % 3 !== 0));
  const copy = Array.isArray(given) ? [...given] : { ...given };
  copy[key] = replaced(given[key], value, rest, rest % 3 !== 0);
  return copy;
}

/** Keys of what a copy can be made of, once in a while with one that is unknown. */
function keysOf(given) {
  if (given instanceof Map) return [...given.keys()];
  if (Array.isArray(given)) return [...given.keys()];
  const isTable = given !== null && typeof given === 'object' && Object.getPrototypeOf(given) === Object.prototype;
  return isTable ? Object.keys(given) : [];
}

/** PERFORMERS_FUZZ_ALL=1 continues after what is found, and prints everything. */
function report(finding) {
  if (process.env.PERFORMERS_FUZZ_ALL === undefined) throw finding;
  console.error(finding.message);
}

const isPlain = (value) => Object.getPrototypeOf(value) === Object.prototype;

process.on('unhandledRejection', (error) => report(new Error(`nobody hears that ${error?.stack ?? error}`)));

let calls = 0;
/** Classes of errors whose message is one sentence. */
function isProper(error) {
  return error instanceof library.PerformersError && /^[^\n]+[.?)…]$/.test(error.message);
}
async function attempt([what, call, build, end], mutations, mutated) {
  calls++;
  if (process.env.PERFORMERS_FUZZ_TRACE !== undefined) process.stdout.write(`${what} ${fc.stringify(mutations)}\n`);
  const args = mutated ?? mutate(await build(), mutations);
  const isExpected = (error) => isProper(error) || error === refusal;
  let hasReturned = false;
  try {
    const given = call(...args);
    hasReturned = true;
    const result = await given;
    await settle(result);
    if (result !== undefined) await end?.(result);
  } catch (error) {
    if (!isExpected(error)) {
      report(new Error(`${what} throws no error with a class and a sentence: ${error?.stack ?? error}`));
    }
    if (!hasReturned && asynchronous.has(what))
      report(new Error(`${what} throws instead of rejecting: ${error.stack}`));
  }
  if (calls % 7 === 0) await checkGuards();
}

const found = Object.getOwnPropertyNames(Object.getPrototypeOf(real)).filter(
  (key) => typeof Object.getOwnPropertyDescriptor(Object.getPrototypeOf(real), key).value === 'function',
);
const missing = found.filter((key) => !(key in methods) && !unfuzzedMethods.includes(key));
if (missing.length > 0) throw new Error(`not fuzzed: ${missing.join(', ')}`);

const exports = await exportCalls({ library, backend, tensorOf, idsOf });
const named = new Set(Object.keys(exports).flatMap((key) => [key, key.split('.')[0]]));
const isGroup = (value) =>
  typeof value === 'object' && Object.values(value).every((each) => typeof each === 'function');
/** Every function counts, those of an object such as `ops` too. */
const all = Object.entries(library).flatMap(([key, value]) =>
  isGroup(value) ? Object.keys(value).map((name) => `${key}.${name}`) : [key],
);
const forgotten = all.filter((key) => !named.has(key) && !Object.hasOwn(notCalled, key));
if (forgotten.length > 0) throw new Error(`exports that are neither fuzzed nor have a reason: ${forgotten.join(', ')}`);

/** Methods of exported classes, inherited ones too. */
function methodsOf(Class) {
  const names = Object.getOwnPropertyNames(Class).filter((key) => typeof Class[key] === 'function');
  for (let made = Class.prototype; made !== Object.prototype; made = Object.getPrototypeOf(made)) {
    const own = Object.entries(Object.getOwnPropertyDescriptors(made));
    names.push(
      ...own.filter(([key, { value }]) => key !== 'constructor' && typeof value === 'function').map(([key]) => key),
    );
  }
  return [...new Set(names)];
}
const isClass = (value) => typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
const uncalled = Object.entries(library)
  .filter(([key, value]) => isClass(value) && !Object.hasOwn(notCalled, key))
  .flatMap(([key, Class]) => methodsOf(Class).map((method) => [`${key}.${method}`, method]))
  .filter(([name, method]) => !Object.hasOwn(exports, name) && !Object.hasOwn(methodsNotCalled, method));
if (uncalled.length > 0)
  throw new Error(`methods that are neither fuzzed nor have a reason: ${uncalled.map(([name]) => name).join(', ')}`);

const targets = [
  ...Object.entries(methods).map(([key, build]) => [`backend.${key}`, (...args) => backend[key](...args), build]),
  ...Object.entries(exports).map(([key, [build, call, end]]) => [key, call, build, end]),
];
/** Calls that give a promise or an asynchronous generator: what is wrong rejects, at the first value of a generator. */
const asynchronous = new Set();
/** Calls everything rightly: before, and again at the end, as nothing that was refused may have harmed what was there. */
async function checkRightCalls() {
  for (const [what, call, build, end] of targets) {
    try {
      const args = await build();
      const given = call(...args);
      if (typeof given?.then === 'function' || given?.[Symbol.asyncIterator]) asynchronous.add(what);
      const made = await given;
      await settle(made);
      await end?.(made);
    } catch (error) {
      report(new Error(`${what} refuses what is right: ${error.stack}`));
    }
  }
}
/** The last object of each export's arguments is one of options, unless export-calls.mjs says otherwise: a misspelt key is refused. */
async function checkUnknownKeys() {
  for (const [what, call, build] of targets) {
    const args = await build();
    const at = args.findLastIndex((given) => given !== null && typeof given === 'object' && isPlain(given));
    if (at < 0 || what.startsWith('backend.') || takesData.has(what)) continue;
    const [known] = Object.keys(args[at]);
    const key = known === undefined ? 'unheardOf' : `${known}q`;
    args[at] = { ...args[at], [key]: 1 };
    let message = 'nothing';
    try {
      await settle(await call(...args));
    } catch (error) {
      if (isProper(error)) message = error.message;
    }
    const isRefused = message.includes(`"${key}"`) && (known === undefined || message.includes(`"${known}"`));
    if (!isRefused) report(new Error(`${what} says ${message} about the unknown key ${key}`));
  }
}
/** Every kind of value at every place of every argument. */
async function sweep() {
  const only = new RegExp(process.env.PERFORMERS_FUZZ_SWEEP);
  for (const target of targets.filter(([what]) => only.test(what))) {
    const [, , build] = target;
    for (const [at] of [...places(await build())].entries()) {
      for (const value of [...plainJunk, ...Object.keys(makers).map((made) => ({ made }))]) {
        const [, put] = [...places(await build())][at];
        await attempt(target, [], put(made(value)));
      }
      releaseArguments();
    }
  }
}
await checkRightCalls();
await checkUnknownKeys();
const kept = new Set(wholes.keys());
/** Releases what only past calls were given. */
function releaseArguments() {
  for (const part of wholes.keys()) if (!kept.has(part)) release(part);
}
calls += await checkLifetimes({
  ...{ library, targets, main: backend, count, other, report, isProper },
  create: () => library.createBackend({ backend: name, numThreads: 1 }),
});
releaseArguments();
if (process.env.PERFORMERS_FUZZ_SWEEP !== undefined) await sweep();
const property = fc.asyncProperty(
  fc.nat(targets.length - 1),
  fc.array(mutation, { minLength: 1, maxLength: 3 }),
  async (i, mutations) => {
    await attempt(targets[i], mutations);
    if (wholes.size > kept.size + 500) releaseArguments();
  },
);
const end = performance.now() + seconds * 1000;
let round = 0;
while (round < ROUNDS || performance.now() < end) {
  await fc.assert(property, { seed: seed + round++, numRuns: 200, endOnFailure: false });
  releaseArguments();
}
await checkRightCalls();
await checkGuards();
console.log(JSON.stringify({ backend: name, calls }));
process.exit(0);
