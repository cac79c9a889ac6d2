/**
 * Every kernel, described once. Those that are `isForTraining` are left out of the WebAssembly files for inference. `scripts/generate-kernels.mjs` makes of this file the C++ declarations
 * (kernels/generated/kernels.h), the backend's types and calls in TypeScript and the table docs/kernels.md. The notation is read by
 * `scripts/generate/description.mjs`, from which a further backend can generate its own calls.
 *
 * An argument is written `role type [shape]` or `kind of scalar`, and may end in ` — meaning`; `meanings` has the rest.
 * - `in`, `out`, `inout`: an array that is read, overwritten, or read and written; `optional`: may be absent; `optional with x`:
 *   present exactly if x is. Types are float32 (unless written), float64 and int32. Axis lengths are expressions over the other
 *   arguments; an axis written `n @ stride` has its entries `stride` elements apart. `below n`: elements are indices from 0 to n − 1;
 *   `below n or negative`: negative ones too. `checked as sequences`: a check of src/backend/checks/arrays.ts reads the elements.
 *   `with infinities`: these may be sound results, though never NaN; `partly written`: some elements are left as they were.
 * - `size`: a whole number of at least 0. `size from 1 to n` and `even` have other bounds. `size = length of x` is
 *   taken from the array x.
 * - `integer from a to b`, `number`, `number from a below b`, `word` (32 bits without sign), `flag`: scalars.
 * - `one of E`: the place of a name in the enumeration E.
 * - `= expression` after a scalar is the default of callers; kernels always get a value.
 * - `derived = expression`: follows from other arguments; appears in shapes and is not passed. `reach of queries`, `reach of keys`: the number of
 *   batch rows that the sequences reach, likewise. `reach of strides`: elements from the first to the last that the strides of one array reach.
 */

/** What holds for all kernels. */
export const conventions = [
  'A kernel computes the units [first, last) of a job. Units never share an output element; the result of a unit depends on neither the number of threads nor the order of the units.',
  'Arrays are dense and row-major unless strides are given. An array never shares memory with another unless the kernel’s text says so.',
  'Attention arrays are [batch, heads, length, d]; with layout `blhd` the axes are [batch, length, heads, d] instead, which is what a linear layer yields.',
  'Sequences are contiguous pieces that attend only within themselves. Unpacked input has one sequence per batch row; padding shortens a sequence; packing makes several. Rows of outputs outside every sequence are left as they were.',
  'causal: query i of a sequence sees the keys j ≤ i + offset, both counted within the sequence; offset is any integer.',
  'A query with no valid key yields zeros.',
  'near field: positions are counted in blocks from the sequence’s first key; query i is at position i + offset. Near a query are the keys of the query’s own block and of both neighbouring blocks. The first `sinks` keys are near every query. If causal, only keys j ≤ i + offset of all these count. All other keys are far.',
];

/** Numbers that kernels and callers share. */
export const constants = {
  /** The most arguments of a kernel. */
  MAX_ARGUMENTS: 36,
  /** Columns of `sequences`. */
  SEQUENCE_COLUMNS: 6,
  /** Keys between two snapshots of the state of causal FAVOR+. */
  SNAPSHOT_KEYS: 256,
  /** Elements of one partial sum of squared_norm. */
  NORM_BLOCK: 65536,
  /** The largest size: WebAssembly has sizes of 32 bits. */
  MAX_SIZE: 2147483647,
  /** The largest width of a head: kernels keep rows of heads in scratch space. */
  MAX_HEAD_WIDTH: 65536,
  /** The widest block of a near field. */
  MAX_BLOCK: 16777216,
  /** Most axes of arrays with strides. */
  MAX_AXES: 8,
  /** The most iterations of peak: some seconds of work. */
  MAX_ITERATIONS: 10000000,
};

/** Names whose place is their number in the kernels. */
export const enumerations = {
  AttentionLayout: {
    meaning: 'Axes of attention arrays: [batch, heads, length, d] or [batch, length, heads, d].',
    names: ['bhld', 'blhd'],
  },
  UnaryKind: {
    meaning: 'ReLU, gelu by erf, gelu in its tanh form, tanh, exp, natural logarithm.',
    names: ['relu', 'gelu', 'geluTanh', 'tanh', 'exp', 'log'],
  },
  BinaryKind: {
    meaning: 'Sum, difference, product and quotient of two numbers.',
    names: ['add', 'subtract', 'multiply', 'divide'],
  },
  FeatureMapKind: {
    meaning:
      'With u = W x̂ + bias, x̂ = x·dHead^(−1/4) and D = ‖x̂‖²/2: `exponential` is exp(u − D), `sine` is sin(u)·exp(D). The others are f(u) + epsilon (gelu by erf).',
    names: [
      'exponential',
      'sine',
      'relu',
      'exp',
      'sigmoid',
      'abs',
      'gelu',
      'cos',
      'tanh',
      'identity',
      'eluPlusOne',
      'square',
    ],
  },
  ProjectionForm: {
    meaning: [
      'How a projection W is stored. Feature r has the direction r mod directions (directions = numFeatures if they are not stacked).',
      '`dense`: W [numFeatures, dHead]; factors unused.',
      '`hadamard`: blocks of P rows, P the least power of two ≥ dHead; the last block is cut. There u = lengths ∘ (H D_factors … H D_1 x̂), with x̂ padded with zeros to P. H is the Walsh–Hadamard matrix with entries ±1 in Sylvester’s order. Stored are the diagonals D [blocks, factors, P], then lengths [numFeatures].',
      '`givens`: blocks of dHead rows; the last block is cut. There u = lengths ∘ (R_factors … R_1 x̂). A rotation R takes (x_i, x_j) to (cos·x_i − sin·x_j, sin·x_i + cos·x_j). Stored are rotations [blocks, factors, 4] of rows {i, j, cos, sin}, i and j whole numbers, then lengths [numFeatures]. No factors and lengths of 1 mean no projection at all.',
    ].join(' '),
    names: ['dense', 'hadamard', 'givens'],
  },
};

const without = (args, ...names) => Object.fromEntries(Object.entries(args).filter(([name]) => !names.includes(name)));

const SEQUENCES = { sequences: 'in int32 [numSequences, SEQUENCE_COLUMNS] checked as sequences' };
const KEY_MASK = { keyMask: 'in optional [batchK, lengthK]' };
const QUERIES = { q: 'in [batchQ, heads, lengthQ, dHead]' };
const KEYS_AND_VALUES = { k: 'in [batchK, heads, lengthK, dHead]', v: 'in [batchK, heads, lengthK, dValue]' };
const PER_QUERY = '[batchQ, heads, lengthQ]';
const OUT = '[batchQ, heads, lengthQ, dValue]';
const BATCH = { batchQ: 'reach of queries', batchK: 'reach of keys' };
const RESULT_GRADIENTS = {
  dQ: 'out [batchQ, heads, lengthQ, dHead]',
  dK: 'out [batchK, heads, lengthK, dHead]',
  dV: 'out [batchK, heads, lengthK, dValue]',
};
const LAYOUT = { layout: 'one of AttentionLayout' };
const WIDTH = 'size from 1 to MAX_HEAD_WIDTH';
const ATTENTION_SIZES = {
  numSequences: 'size',
  heads: 'size from 1',
  lengthQ: 'size',
  lengthK: 'size',
  dHead: WIDTH,
  dValue: WIDTH,
};

/** Of arrays with strides. */
const STRIDED = { numAxes: 'size from 1 to MAX_AXES — rows of layout', count: 'size — product of the lengths' };
const SPANS = { span1: 'reach of strides', span2: 'reach of strides' };

/** A kernel estimate K(x, y) = Σ_r φ_r(x) φ_r(y), one for all heads; feature r has the direction r mod directions. */
const ESTIMATOR = {
  projection: 'in [projectionSize] checked as projection',
  bias: 'in optional [numFeatures]',
  numFeatures: 'size from 1',
  form: 'one of ProjectionForm',
  factors: 'size',
  directions: 'size from 1 to numFeatures',
  map: 'one of FeatureMapKind',
  epsilon: 'number',
};
const ESTIMATOR_SIZES = {
  projectionSize: 'derived = projectionLength({ numFeatures, form, factors, directions }, dHead)',
};

/** The state of FAVOR+ of every (sequence, head). */
const state = (role, states, together = '') => ({
  sums: `${role} [${states}, heads, numFeatures, dValue + 1]`,
  compensation: `${role}${together} [${states}, heads, numFeatures, dValue + 1]`,
  scales: `${role}${together} [${states}, heads, numFeatures] with infinities`,
});

/** How a row of FAVOR+ is formed. */
const RESULT = { weight: 'number', stabiliser: 'number' };

/** Which keys are near a query; block 0: all of them. */
const NEAR_FIELD = { block: 'size from 0 to MAX_BLOCK = 0', sinks: 'size = 0' };
const SOFTMAX = { ...LAYOUT, causal: 'flag', scale: 'number', normalise: 'flag', ...NEAR_FIELD };
const FAR_SNAPSHOTS =
  '[numSequences, heads, Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4, numFeatures, dValue + 2]';
/** What both passes of the far field share. */
const FAR_FIELD = {
  ...QUERIES,
  ...KEYS_AND_VALUES,
  ...KEY_MASK,
  ...SEQUENCES,
  ...without(ESTIMATOR, 'map', 'epsilon'),
  gain: 'in optional [heads]',
};
const FAR_FIELD_SIZES = {
  ...ATTENTION_SIZES,
  ...LAYOUT,
  block: 'size from 1 to MAX_BLOCK',
  sinks: 'size = 0',
  reverse: 'flag = false',
  weight: 'number',
};

const NEAR_MASS_SIZES = {
  ...without(ATTENTION_SIZES, 'dValue'),
  ...LAYOUT,
  causal: 'flag',
  block: 'size from 1 to MAX_BLOCK',
  sinks: 'size = 0',
  weight: 'number',
};

const SELF_SEQUENCES = { sequences: 'in int32 [numSequences, SEQUENCE_COLUMNS] checked as selfSequences' };
const LSH = {
  q: 'in [batch, heads, length, dHead]',
  v: 'in [batch, heads, length, dValue]',
  keyMask: 'in optional [batch, length]',
  ...SELF_SEQUENCES,
  order: 'in int32 [numHashes, batch, heads, length] checked as order',
  chunks: 'in int32 [numHashes, batch, heads, length]',
};
const LSH_SIZES = {
  numSequences: 'size',
  batch: 'size',
  heads: 'size',
  length: 'size',
  dHead: WIDTH,
  dValue: WIDTH,
  ...LAYOUT,
  causal: 'flag',
  scale: 'number',
  chunkLength: 'size from 1',
  numHashes: 'size from 1',
  hash: 'size',
};
const PER_POSITION = '[batch, heads, length]';

/** What an argument means wherever its kernel says nothing else. */
export const meanings = {
  a: 'first operand',
  accumulate: 'add to the output instead of overwriting it',
  alpha: 'factor',
  b: 'second operand',
  c: 'the product',
  base: 'base of the angles of the pairs',
  batch: 'entries side by side',
  batchQ: 'batch rows that queries of the sequences reach',
  batchK: 'batch rows that keys of the sequences reach',
  bias: 'added to every row',
  causal: 'queries see no later key',
  chunkLength: 'most positions in a chunk',
  chunks:
    'chunks by position. In a hash, query i sees key j if 0 ≤ chunks[i] − chunks[j] ≤ 1, j is valid, and j < i (causal) or j ≠ i',
  columns: 'length of a row',
  compensation: 'low-order parts of the sums',
  correct: '1 where the largest logit is that of the target',
  count: 'number of elements',
  dHead: 'width of queries and keys',
  dK: 'gradient of k',
  dLogits: 'gradient of logits',
  dOut: 'gradient of out',
  dQ: 'gradient of q',
  dV: 'gradient of v',
  dValue: 'width of values; may differ from dHead',
  dX: 'gradient of x',
  denominator: 'what the numerators were divided by; 0 for a query without a valid key',
  directions: 'distinct directions: feature r has the direction r mod directions',
  epsilon: 'added to every feature of a map other than exponential and sine',
  factors: 'factors of each block of a projection that is not dense, else 0',
  form: 'how the projection is stored',
  gain: 'logarithm of what the far field is multiplied by in every head; absent: 0',
  gamma: 'factors of the columns',
  beta: 'added to the columns',
  block: 'positions in a block of the near field; 0: every key is near',
  gradientScale: 'multiplies the gradient',
  hash: 'the hash of this call',
  heads: 'number of heads',
  ids: 'rows of the table',
  inverseDeviation: '1/√(variance + epsilon) of every row',
  inverseTemperature: '1/T: multiplies the logits of both',
  keyMask: '1 = valid, 0 = masked, shared by all heads',
  k: 'keys',
  kind: 'the function f',
  layout: 'order of the axes of attention arrays',
  lda: 'elements from a row of a to the next',
  ldb: 'elements from a row of b to the next',
  ldc: 'elements from a row of c to the next',
  length: 'positions of a batch row',
  lengthK: 'keys of a batch row',
  kept: 'what the row of the near field was multiplied by',
  lengthQ: 'queries of a batch row',
  logSumExp: 'of the scaled scores, over the scale',
  logMass: 'of every query, over 1/√dHead',
  logits: 'scores of the classes',
  loss: 'of every row',
  m: 'rows of c',
  map: 'the function of a feature',
  mean: 'of every row',
  n: 'columns of c',
  normalise: 'divide a row by its sum over the keys',
  numBuckets: 'of a hash, at most',
  numFactors: 'number of factors',
  numFeatures: 'random features of the estimate',
  numHashes: 'rounds of hashing',
  numRotations: 'rows of a hash’s rotations',
  numSequences: 'rows of sequences',
  order: 'the position, within its sequence, in every slot of the sequence’s sorted order',
  out: 'the result',
  packedB: 'b as gemm_pack leaves it',
  packedSize: 'floats of one packed entry',
  projection: 'the directions: see ProjectionForm',
  projectionSize: 'elements of the projection',
  q: 'queries',
  reverse: 'the far keys after a query instead of those before',
  references: 'the largest score of every row, not scaled',
  rotations: 'random directions',
  rows: 'number of rows',
  sequences: 'rows {batch, queryStart, queryLength, keyStart, keyLength, offset}',
  scale: 'multiplies q·k',
  scales:
    'exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features',
  snapshots: 'sums, normaliser and scale before every SNAPSHOT_KEYS-th key',
  sinks: 'first keys of a sequence that are near every query',
  shares: 'what the far sums of a row are multiplied by; 0 where nothing is far',
  span1: 'elements that the first array must have',
  span2: 'elements that the second array must have',
  span3: 'elements that the third array must have',
  stabiliser: 'a denominator whose size is at most this gains twice this, in units of the query’s own scale',
  strideA: 'elements from an entry of a to the next',
  strideB: 'elements from an entry of b to the next; 0: shared',
  strideC: 'elements from an entry of c to the next',
  sums: 'Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale',
  table: 'a row for every id',
  dTable: 'gradient of the table',
  tableRows: 'rows of the table',
  targets: 'the right classes; a negative one gives no loss and no gradient',
  transposeA: 'a is [k, m]',
  transposeB: 'b is [n, k]',
  updateState: 'leave the states after the last key of every sequence in sums, compensation and scales',
  v: 'values',
  vocabSize: 'number of classes',
  weight: '0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j',
  width: 'length of a row',
  x: 'what the kernel works on',
  y: 'the sum',
};

/** name → what it does, its arguments in the order of the kernel, and its multiply-adds counted as two flops. */
export const kernels = {
  // — dense algebra —
  gemm_pack: {
    about: 'Packs panels of op(b) [k, n] for gemm; packedSize floats for each entry of the batch.',
    arguments: {
      b: 'in [batch @ strideB, (transposeB ? n : k) @ ldb, transposeB ? k : n]',
      packed: 'out [batch, packedSize] — panels of columns',
      n: 'size',
      k: 'size — inner length',
      ldb: 'size',
      transposeB: 'flag',
      batch: 'size',
      strideB: 'size',
      packedSize: 'derived = gemmPackedSize(n, k)',
    },
  },
  gemm: {
    about: 'c[i] = alpha·op(a[i]) op(b[i]) + bias (+ c[i] if accumulate), with op(a) [m, k] and b packed by gemm_pack.',
    arguments: {
      a: 'in [batch @ strideA, (transposeA ? k : m) @ lda, transposeA ? m : k]',
      packedB: 'in [batch @ strideB, packedSize]',
      bias: 'in optional [n]',
      c: 'inout [batch @ strideC, m @ ldc, n]',
      m: 'size',
      n: 'size',
      k: 'size — inner length',
      lda: 'size',
      ldc: 'size',
      transposeA: 'flag',
      batch: 'size',
      strideA: 'size',
      strideB: 'size',
      strideC: 'size',
      alpha: 'number',
      accumulate: 'flag',
      packedSize: 'derived = gemmPackedSize(n, k)',
    },
    flops: '2 * batch * m * n * k',
  },
  gemv: {
    about: 'The same product for few rows (m ≤ 4, a not transposed): reads b once, without a copy.',
    arguments: {
      a: 'in [m @ lda, k]',
      b: 'in [(transposeB ? n : k) @ ldb, transposeB ? k : n]',
      bias: 'in optional [n]',
      c: 'inout [m @ ldc, n]',
      m: 'size',
      n: 'size',
      k: 'size — inner length',
      lda: 'size',
      ldb: 'size',
      ldc: 'size',
      transposeB: 'flag',
      alpha: 'number',
      accumulate: 'flag',
    },
    flops: '2 * m * n * k',
  },

  // — elementwise and reductions —
  fill: {
    about: 'x = value.',
    positional: true,
    arguments: { x: 'out [count] with infinities', count: 'size = length of x', value: 'number — of every element' },
  },
  add: {
    about: 'out = a + b; out may be the memory of a or b.',
    positional: true,
    arguments: { a: 'in [count]', b: 'in [count]', out: 'out [count]', count: 'size = length of out' },
  },
  axpy: {
    about: 'y += alpha·x.',
    positional: true,
    arguments: { alpha: 'number', x: 'in [count]', y: 'inout [count]', count: 'size = length of y' },
  },
  scale: {
    about: 'out = alpha·x; out may be the memory of x.',
    positional: true,
    arguments: { x: 'in [count]', out: 'out [count]', count: 'size = length of out', alpha: 'number' },
  },
  scale_rows: {
    about:
      'out[r] = factors[r mod numFactors]·x[r]; a factor of 0 gives zeros whatever x holds; out may be the memory of x.',
    arguments: {
      x: 'in [rows, width]',
      factors: 'in [Math.max(numFactors, Math.min(1, rows))] — one for each row, in turn',
      out: 'out [rows, width]',
      rows: 'size',
      width: 'size',
      numFactors: 'size = length of factors',
    },
  },
  activation: {
    about: 'out = f(x).',
    positional: true,
    arguments: { kind: 'one of UnaryKind', x: 'in [count]', out: 'out [count]', count: 'size = length of out' },
  },
  activation_backward: {
    isForTraining: true,
    about: 'dX = dOut ∘ f′(x).',
    positional: true,
    arguments: {
      kind: 'one of UnaryKind',
      x: 'in [count]',
      dOut: 'in [count]',
      dX: 'out [count]',
      count: 'size = length of dX',
    },
  },
  sum_axis: {
    about: 'out[o, i] = Σ_l x[o, l, i] (+ out[o, i] if accumulate).',
    arguments: {
      x: 'in [outer, length, inner]',
      out: 'inout [outer, inner]',
      outer: 'size — product of the axes before',
      length: 'size — of the axis',
      inner: 'size — product of the axes behind',
      accumulate: 'flag = false',
    },
  },
  squared_norm: {
    isForTraining: true,
    about: 'Partial sums of x², one for every NORM_BLOCK elements.',
    arguments: {
      x: 'in [count]',
      partials: 'out float64 [Math.ceil(count / NORM_BLOCK)] — Σ x² of every block',
      count: 'size = length of x',
    },
  },
  strided_copy: {
    about:
      'Moves every element of x to its place in out: x may repeat (stride 0), places in out may not. Integers too, whose bits are kept.',
    arguments: {
      x: 'in [span1]',
      out: 'out [span2] partly written',
      layout:
        'in int32 [numAxes, 3] checked as copyStrides — rows {length, stride in x, stride in out}, outermost first',
      ...STRIDED,
      ...SPANS,
    },
  },
  binary: {
    about: 'out = a ∘ b, out dense; out may be the memory of an array that is dense too.',
    arguments: {
      kind: 'one of BinaryKind — the operation ∘',
      a: 'in [span1]',
      b: 'in [span2]',
      out: 'out [count]',
      layout: 'in int32 [numAxes, 3] checked as twoStrides — rows {length, stride in a, stride in b}, outermost first',
      ...STRIDED,
      ...SPANS,
    },
  },
  select: {
    about: 'out = condition ≠ 0 ? a : b, out dense; NaN is not 0, and what is not chosen has no effect.',
    arguments: {
      condition: 'in [span1] — 0 chooses b',
      a: 'in [span2]',
      b: 'in [span3]',
      out: 'out [count] with infinities',
      layout:
        'in int32 [numAxes, 4] checked as threeStrides — rows {length, stride in condition, stride in a, stride in b}, outermost first',
      ...STRIDED,
      ...SPANS,
      span3: 'reach of strides',
    },
  },
  softmax: {
    about:
      'Softmax of every row, or its logarithm; out may be the memory of x. NaN, ∞ or nothing but −∞ makes a row NaN.',
    arguments: {
      x: 'in [rows, width]',
      out: 'out [rows, width] with infinities',
      rows: 'size',
      width: 'size',
      isLog: 'flag = false — out is the logarithm',
    },
  },
  softmax_backward: {
    isForTraining: true,
    about: 'The gradient of what softmax gave; a weight of exactly 0 takes no part. dX may be the memory of dOut.',
    arguments: {
      out: 'in [rows, width]',
      dOut: 'in [rows, width]',
      dX: 'out [rows, width]',
      rows: 'size',
      width: 'size',
      isLog: 'flag = false — out is the logarithm',
    },
  },
  layer_norm: {
    about: 'Layer norm over the last axis; mean and inverseDeviation are kept for the gradient.',
    arguments: {
      x: 'in [rows, width]',
      gamma: 'in [width]',
      beta: 'in [width]',
      out: 'out [rows, width]',
      mean: 'out [rows]',
      inverseDeviation: 'out [rows]',
      rows: 'size',
      width: 'size',
      epsilon: 'number — added to the variance of a row',
    },
  },
  layer_norm_backward: {
    isForTraining: true,
    about: 'The gradient of the rows.',
    arguments: {
      x: 'in [rows, width]',
      gamma: 'in [width]',
      mean: 'in [rows]',
      inverseDeviation: 'in [rows]',
      dOut: 'in [rows, width]',
      dX: 'out [rows, width]',
      rows: 'size',
      width: 'size',
    },
  },
  layer_norm_backward_parameters: {
    isForTraining: true,
    about: 'The gradients of gamma and beta, overwritten.',
    arguments: {
      x: 'in [rows, width]',
      mean: 'in [rows]',
      inverseDeviation: 'in [rows]',
      dOut: 'in [rows, width]',
      dGamma: 'out [width] — gradient of gamma',
      dBeta: 'out [width] — gradient of beta',
      rows: 'size',
      width: 'size',
    },
  },

  // — embedding, positions, dropout, loss, optimizer —
  embedding: {
    about: 'out[i] = table[ids[i]].',
    arguments: {
      table: 'in [tableRows, width]',
      ids: 'in int32 [count] below tableRows',
      out: 'out [count, width]',
      count: 'size',
      width: 'size from 1',
      tableRows: 'derived = Math.floor(table.length / width)',
    },
  },
  embedding_backward: {
    isForTraining: true,
    about: 'dTable[ids[i]] += dOut[i].',
    arguments: {
      ids: 'in int32 [count] below tableRows',
      dOut: 'in [count, width]',
      dTable: 'inout [tableRows, width]',
      count: 'size',
      width: 'size from 1',
      tableRows: 'derived = Math.floor(dTable.length / width)',
    },
  },
  rotary: {
    about:
      'Rotates the pairs (x[2i], x[2i + 1]) of every head by (offset + position)·base^(−2i/dHead), back if inverse; out may be x.',
    arguments: {
      x: 'in [batch, heads, length, dHead]',
      out: 'out [batch, heads, length, dHead]',
      batch: 'size',
      heads: 'size',
      length: 'size',
      dHead: WIDTH,
      ...LAYOUT,
      offset: 'integer from -MAX_SIZE to MAX_SIZE-length — position of the first row',
      base: 'number',
      inverse: 'flag — turn back',
    },
  },
  dropout: {
    isForTraining: true,
    about:
      'out = x ∘ keep/(1 − rate). Element i is kept if word i mod 4 of Philox4x32-10 at counter i div 4 is at least rate·2³². The output may be x.',
    arguments: {
      x: 'in [count]',
      out: 'out [count]',
      count: 'size = length of out',
      rate: 'number from 0 below 1 — share of elements that become 0',
      seedLow: 'word — low half of the seed',
      seedHigh: 'word — high half of the seed',
      stream: 'word — tells calls with one seed apart',
    },
  },
  softmax_cross_entropy: {
    isForTraining: true,
    about:
      'loss[r] = −log softmax(logits[r])[targets[r]]; dLogits, which may be logits, = (softmax − onehot)·gradientScale. A negative target gives 0; correct[r] is 1 if the target is the argmax.',
    arguments: {
      logits: 'in [rows, vocabSize]',
      targets: 'in int32 [rows] below vocabSize or negative',
      loss: 'out [rows]',
      correct: 'out optional [rows]',
      dLogits: 'out optional [rows, vocabSize]',
      rows: 'size',
      vocabSize: 'size from 1',
      gradientScale: 'number',
    },
  },
  softmax_kl_divergence: {
    isForTraining: true,
    about:
      'loss[r] = KL(p ‖ q) in nats, p = softmax(targets[r]·inverseTemperature), q that of logits; dLogits, which may be either, = (q − p)·gradientScale.',
    arguments: {
      logits: 'in [rows, vocabSize]',
      targets: 'in [rows, vocabSize] — scores of the teacher',
      loss: 'out [rows]',
      correct: 'out optional [rows]',
      dLogits: 'out optional [rows, vocabSize]',
      rows: 'size',
      vocabSize: 'size from 1',
      inverseTemperature: 'number',
      gradientScale: 'number',
    },
  },
  adamw: {
    isForTraining: true,
    about:
      'Decoupled weight decay: x −= learningRate·(m̂/(√v̂ + epsilon) + weightDecay·x) with m̂ = m/correction1, v̂ = v/correction2 and the gradient times gradientScale.',
    arguments: {
      parameter: 'inout [count] — x',
      gradient: 'in [count] — of the loss in x',
      firstMoment: 'inout [count] — m, the running mean of gradients',
      secondMoment: 'inout [count] — v, the running mean of their squares',
      count: 'size = length of parameter',
      learningRate: 'number — of this step',
      beta1: 'number — decay of m',
      beta2: 'number — decay of v',
      epsilon: 'number — added to √v̂',
      weightDecay: 'number — share of x that is taken off, times learningRate',
      correction1: 'number — 1 − beta1^step',
      correction2: 'number — 1 − beta2^step',
      gradientScale: 'number',
    },
  },

  // — exact attention in blocks, never an L×L matrix —
  softmax_attention: {
    about:
      'Exact attention; logSumExp of the scaled scores, over the scale. Not normalised: out = Σ_j exp(scale·q·k_j) v_j, and logSumExp is 0, −∞ without a valid key.',
    arguments: {
      ...QUERIES,
      ...KEYS_AND_VALUES,
      ...KEY_MASK,
      ...SEQUENCES,
      out: `out ${OUT}`,
      logSumExp: `out ${PER_QUERY} with infinities`,
      ...ATTENTION_SIZES,
      ...SOFTMAX,
      ...BATCH,
    },
    flops: '2 * batchQ * heads * lengthQ * lengthK * (dHead + dValue) * (causal ? 0.5 : 1)',
  },
  softmax_attention_backward: {
    isForTraining: true,
    about: 'Gradients of softmax_attention. out and logSumExp may be those of more keys: far_field.',
    arguments: {
      ...QUERIES,
      ...KEYS_AND_VALUES,
      ...KEY_MASK,
      ...SEQUENCES,
      out: `in ${OUT}`,
      logSumExp: `in ${PER_QUERY} with infinities`,
      dOut: `in ${OUT}`,
      ...RESULT_GRADIENTS,
      ...ATTENTION_SIZES,
      ...SOFTMAX,
      ...BATCH,
    },
    flops: '2 * batchQ * heads * lengthQ * lengthK * (3 * dHead + 2 * dValue) * (causal ? 0.5 : 1)',
  },

  // — LSH attention (Reformer): queries serve as keys, at unit length; sequences have their keys where their queries are, offset 0 —
  lsh_sort: {
    about:
      'Sorts the positions of every sequence by bucket and cuts the order into chunks. A bucket is the argmax of [R q; −R q], where R is the first rows of the rotations. R has numBuckets/2 rows if causal. Otherwise R makes the least even number of buckets ≥ valid positions / chunkLength, at most numBuckets.',
    arguments: {
      q: 'in [batch, heads, length, dHead]',
      rotations: 'in [numHashes, numRotations, dHead]',
      keyMask: 'in optional [batch, length]',
      ...SELF_SEQUENCES,
      order: 'out int32 [numHashes, batch, heads, length]',
      chunks: 'out int32 [numHashes, batch, heads, length]',
      numSequences: 'size',
      batch: 'size',
      heads: 'size',
      length: 'size',
      dHead: WIDTH,
      ...LAYOUT,
      causal: 'flag',
      numHashes: 'size from 1',
      numBuckets: 'size from 2 to 2*numRotations even',
      numRotations: 'size from 1',
      chunkLength: 'size from 1',
    },
  },
  lsh_attention: {
    about:
      'One call for each hash, in order. After the last call, out is the softmax of scale·q·k̂ over the keys that any hash shows, times v. A valid query that sees no key gets its own value. References and sums are a row’s largest score and Σ exp(score − reference).',
    arguments: {
      ...LSH,
      out: 'inout [batch, heads, length, dValue]',
      references: `inout ${PER_POSITION} with infinities`,
      sums: `inout ${PER_POSITION} — Σ exp(score − reference) of every row`,
      ...LSH_SIZES,
    },
  },
  lsh_attention_backward: {
    isForTraining: true,
    about: 'One call for each hash; dQ is the gradient of q in both of its roles.',
    arguments: {
      ...LSH,
      out: 'in [batch, heads, length, dValue]',
      references: `in ${PER_POSITION} with infinities`,
      sums: `in ${PER_POSITION} — Σ exp(score − reference) of every row`,
      dOut: 'in [batch, heads, length, dValue]',
      dQ: 'inout [batch, heads, length, dHead]',
      dV: 'inout [batch, heads, length, dValue]',
      ...LSH_SIZES,
    },
  },

  // — FAVOR+ —
  favor_features: {
    about: 'log φ_r for the map exponential, in nats; sin(u_r) for sine; φ_r for the others.',
    arguments: {
      x: 'in [batch, heads, length, dHead]',
      ...ESTIMATOR,
      out: 'out [batch, heads, length, numFeatures]',
      batch: 'size',
      heads: 'size',
      length: 'size',
      dHead: WIDTH,
      ...LAYOUT,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batch * heads * length * dHead * numFeatures',
  },
  favor_keys: {
    about: 'Bidirectional, first pass: the state of every (sequence, head) from its keys and values.',
    arguments: {
      ...KEYS_AND_VALUES,
      ...KEY_MASK,
      ...SEQUENCES,
      ...ESTIMATOR,
      ...state('out', 'numSequences'),
      numSequences: 'size',
      heads: 'size from 1',
      lengthK: 'size',
      dHead: WIDTH,
      dValue: WIDTH,
      ...LAYOUT,
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchK * heads * lengthK * numFeatures * (dHead + dValue + 1)',
  },
  favor_queries: {
    about: 'Bidirectional, second pass: the rows of the queries against those states.',
    arguments: {
      ...QUERIES,
      ...SEQUENCES,
      ...ESTIMATOR,
      ...state('in', 'numSequences'),
      out: `out ${OUT}`,
      denominator: `out ${PER_QUERY}`,
      numSequences: 'size',
      heads: 'size from 1',
      lengthQ: 'size',
      dHead: WIDTH,
      dValue: WIDTH,
      ...LAYOUT,
      ...RESULT,
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * lengthQ * numFeatures * (dHead + dValue + 1)',
  },
  favor_backward: {
    isForTraining: true,
    about: 'Gradients of the bidirectional form.',
    arguments: {
      ...QUERIES,
      ...KEYS_AND_VALUES,
      ...KEY_MASK,
      ...SEQUENCES,
      ...ESTIMATOR,
      ...state('in', 'numSequences'),
      out: `in ${OUT}`,
      denominator: `in ${PER_QUERY}`,
      dOut: `in ${OUT}`,
      ...RESULT_GRADIENTS,
      ...ATTENTION_SIZES,
      ...LAYOUT,
      weight: 'number',
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 2 * dValue + 2)',
  },
  favor_causal: {
    about:
      'Causal, in chunks. Starts from the given states, or from empty states. Leaves the states after the last key there if updateState. For the gradients, snapshots keep {sums, normaliser, scale} before every SNAPSHOT_KEYS-th key.',
    arguments: {
      ...QUERIES,
      ...KEYS_AND_VALUES,
      ...KEY_MASK,
      ...SEQUENCES,
      ...ESTIMATOR,
      ...state('inout optional', 'numSequences', ' with sums'),
      out: `out ${OUT}`,
      denominator: `out ${PER_QUERY}`,
      snapshots:
        'out optional [numSequences, heads, Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2] partly written',
      ...ATTENTION_SIZES,
      ...LAYOUT,
      updateState: 'flag = false',
      ...RESULT,
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (dHead + dValue + 1)',
  },
  favor_causal_backward: {
    isForTraining: true,
    about: 'Gradients of favor_causal started from empty states, from the snapshots that it left.',
    arguments: {
      ...QUERIES,
      ...KEYS_AND_VALUES,
      ...KEY_MASK,
      ...SEQUENCES,
      ...ESTIMATOR,
      out: `in ${OUT}`,
      denominator: `in ${PER_QUERY}`,
      snapshots: 'in [numSequences, heads, Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2]',
      dOut: `in ${OUT}`,
      ...RESULT_GRADIENTS,
      ...ATTENTION_SIZES,
      ...LAYOUT,
      weight: 'number',
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 3 * dValue + 3)',
  },
  far_field: {
    about:
      'Adds the far keys before the near field, or after the near field if reverse, to the rows of a near field: out = kept·out + shares·Q′S. The far keys count weight·e^gain·Σ_r φ_r(q) φ_r(k) each, beside the exp(q·k/√dHead) of near keys. The map is exponential. On entry out and logSumExp are those of softmax_attention with scale 1/√dHead; they become those of all keys added so far. State: of the keys before the block before that of position offset; starts from the given states, or from empty states. Leaves there, if updateState, the states that hold for queries after the last key. For the gradients, snapshots keep {sums, normaliser, scale} before every few blocks.',
    arguments: {
      ...FAR_FIELD,
      ...state('inout optional', 'numSequences', ' with sums'),
      out: `inout ${OUT}`,
      logSumExp: `inout ${PER_QUERY} with infinities`,
      shares: `out ${PER_QUERY}`,
      kept: `out optional ${PER_QUERY}`,
      snapshots: `out optional ${FAR_SNAPSHOTS} partly written`,
      ...FAR_FIELD_SIZES,
      updateState: 'flag = false',
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (dHead + dValue + 1)',
  },
  far_field_backward: {
    isForTraining: true,
    about:
      'Adds to the gradients what far_field gives, started from empty states. The snapshots are those that far_field left; out and shares are those of all keys.',
    arguments: {
      ...FAR_FIELD,
      out: `in ${OUT}`,
      shares: `in ${PER_QUERY}`,
      snapshots: `in ${FAR_SNAPSHOTS}`,
      dOut: `in ${OUT}`,
      dQ: 'inout [batchQ, heads, lengthQ, dHead]',
      dK: 'inout [batchK, heads, lengthK, dHead]',
      dV: 'inout [batchK, heads, lengthK, dValue]',
      dGain: 'out [numSequences, heads] — gradient of gain, of every sequence',
      ...FAR_FIELD_SIZES,
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 2 * dValue + 2)',
  },
  near_mass: {
    about:
      'The mass of the near field as features estimate it. logMass is the logarithm of weight·Σ_near Σ_r φ_r(q) φ_r(k). Like logSumExp, logMass is divided by the scale 1/√dHead. The map is exponential.',
    arguments: {
      ...QUERIES,
      k: 'in [batchK, heads, lengthK, dHead]',
      ...KEY_MASK,
      ...SEQUENCES,
      ...without(ESTIMATOR, 'map', 'epsilon'),
      logMass: `out ${PER_QUERY} with infinities`,
      ...NEAR_MASS_SIZES,
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * dHead',
  },
  near_mass_backward: {
    isForTraining: true,
    about:
      'Adds to the gradients what near_mass gives where the mass splits rows: out = kept·nearOut + the rest, so that logMass has the gradient kept·dOut·(nearOut − out).',
    arguments: {
      ...QUERIES,
      k: 'in [batchK, heads, lengthK, dHead]',
      ...KEY_MASK,
      ...SEQUENCES,
      ...without(ESTIMATOR, 'map', 'epsilon'),
      nearOut: `in ${OUT} — the rows of the near field alone`,
      out: `in ${OUT}`,
      kept: `in ${PER_QUERY}`,
      dOut: `in ${OUT}`,
      dQ: 'inout [batchQ, heads, lengthQ, dHead]',
      dK: 'inout [batchK, heads, lengthK, dHead]',
      dValue: WIDTH,
      ...NEAR_MASS_SIZES,
      ...BATCH,
      ...ESTIMATOR_SIZES,
    },
    flops: '2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * 2 * dHead',
  },
  favor_step: {
    about: 'One token for every (batch, head): updates the states with (k, v), then reads them with q.',
    arguments: {
      q: 'in [batch, heads, dHead]',
      k: 'in [batch, heads, dHead]',
      v: 'in [batch, heads, dValue]',
      ...ESTIMATOR,
      ...state('inout', 'batch'),
      out: 'out [batch, heads, dValue]',
      batch: 'size',
      heads: 'size',
      dHead: WIDTH,
      dValue: WIDTH,
      ...RESULT,
      ...ESTIMATOR_SIZES,
    },
    flops: '4 * batch * heads * numFeatures * (dHead + dValue + 1)',
  },

  // — measurement —
  peak: {
    isForTraining: true,
    about:
      'Independent multiply-adds x ← x/2 + 1, 3072·iterations flops in each unit; out is their limit 2 once iterations ≥ 4.',
    arguments: {
      out: 'out [units] — 2 in the end',
      iterations: 'size to MAX_ITERATIONS — of 1536 multiply-adds',
      units: 'size = length of out — parts that threads share',
    },
    flops: '3072 * iterations * units',
  },
};

/** Calls of a backend that are more, or other, than one kernel; every kernel that no such call runs is a call by itself. */
export const operations = {
  gemm: {
    about: 'c[i] = alpha·op(a[i]) op(b[i]) + bias (+ c[i] if accumulate), row-major.',
    kernels: ['gemm_pack', 'gemm', 'gemv'],
    arguments: {
      a: 'in [batch @ strideA, (transposeA ? k : m) @ lda, transposeA ? m : k]',
      b: 'in [batch @ strideB, (transposeB ? n : k) @ ldb, transposeB ? k : n]',
      c: 'inout [batch @ strideC, m @ ldc, n]',
      bias: 'in optional [n]',
      m: 'size',
      n: 'size',
      k: 'size — inner length',
      transposeA: 'flag = false',
      transposeB: 'flag = false',
      batch: 'size = 1',
      lda: 'size = transposeA ? m : k',
      ldb: 'size = transposeB ? k : n',
      ldc: 'size = n',
      strideA: 'size = (transposeA ? k : m) * lda — elements from an entry of a to the next; 0: shared',
      strideB: 'size = (transposeB ? n : k) * ldb',
      strideC: 'size = m * ldc',
      alpha: 'number = 1',
      accumulate: 'flag = false',
    },
    flops: '2 * batch * m * n * k',
  },
  layerNormBackward: {
    about: 'The gradients of layerNorm, overwritten.',
    kernels: ['layer_norm_backward', 'layer_norm_backward_parameters'],
    arguments: { ...kernels.layer_norm_backward.arguments, ...kernels.layer_norm_backward_parameters.arguments },
  },
  squaredNorm: {
    about: 'Σ x². Waits for earlier calls.',
    kernels: ['squared_norm'],
    result: 'Promise<number>',
    positional: true,
    arguments: without(kernels.squared_norm.arguments, 'partials'),
  },
  adamW: {
    about: kernels.adamw.about,
    kernels: ['adamw'],
    arguments: {
      ...without(kernels.adamw.arguments, 'correction1', 'correction2'),
      step: 'number — 1-based number of this update, for the corrections',
    },
  },
  lshAttention: {
    about: 'out = softmax of scale·q·k̂ over the keys that any hash shows, times v.',
    kernels: ['lsh_attention'],
    arguments: without(kernels.lsh_attention.arguments, 'hash'),
  },
  lshAttentionBackward: {
    about: 'Gradients of lshAttention; dQ is the gradient of q in both of its roles.',
    kernels: ['lsh_attention_backward'],
    arguments: without(kernels.lsh_attention_backward.arguments, 'hash'),
  },
  favor: {
    about: 'Bidirectional FAVOR+: fills the states from the keys, then out and denominator from the queries.',
    kernels: ['favor_keys', 'favor_queries'],
    arguments: { ...kernels.favor_queries.arguments, ...kernels.favor_keys.arguments },
    flops: `${kernels.favor_keys.flops} + ${kernels.favor_queries.flops}`,
  },
};

/** Sets of arguments that code above the backend passes on together: name → what they are, and the arguments. */
export const groups = {
  AttentionSizes: { about: 'Sizes of an attention.', arguments: { ...ATTENTION_SIZES, ...LAYOUT } },
  AttentionArrays: {
    about: 'What every attention but LSH takes.',
    arguments: { ...QUERIES, ...KEYS_AND_VALUES, ...KEY_MASK, ...SEQUENCES, ...ATTENTION_SIZES, ...LAYOUT },
  },
  AttentionGradients: {
    about: 'Gradients of an attention. Rows outside every sequence are left as they were.',
    arguments: { out: `in ${OUT}`, dOut: `in ${OUT}`, ...RESULT_GRADIENTS },
  },
  Estimator: {
    about: 'A kernel estimate K(x, y) = Σ_r φ_r(x) φ_r(y), without its numbers.',
    arguments: without(ESTIMATOR, 'projection', 'bias'),
  },
  FavorFeatures: { about: 'An estimator with its numbers.', arguments: ESTIMATOR },
  FavorResult: { about: 'How a row of FAVOR+ is formed.', arguments: RESULT },
  FavorStateArrays: { about: 'The states of FAVOR+.', arguments: state('inout', '…') },
  SoftmaxOptions: {
    about: 'How exact attention forms scores and rows.',
    arguments: without(SOFTMAX, 'layout'),
  },
  FarFieldFeatures: {
    about: 'An exponential estimator with its numbers, for the far field.',
    arguments: without(ESTIMATOR, 'map', 'epsilon'),
  },
  NearField: { about: 'Which keys are near a query; see the conventions.', arguments: NEAR_FIELD },
  LshArrays: {
    about: 'What the kernels of LSH attention share.',
    arguments: { ...LSH, ...without(LSH_SIZES, 'scale', 'hash') },
  },
};
