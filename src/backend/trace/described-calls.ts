/** Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build. */

import { type Operations, SEQUENCE_COLUMNS, SNAPSHOT_KEYS } from '../kernels.ts';
import { projectionLength } from '../projection-sizes.ts';
import { type Call, call, callArray, headStrides, rowsOf } from './call.ts';

/** The arrays of every call with their shapes, and its flops. */
export const describedCalls: { readonly [Name in keyof Operations]: (...args: Parameters<Operations[Name]>) => Call } =
  {
    gemm(args) {
      const {
        batch = 1,
        transposeA = false,
        k,
        m,
        lda = transposeA ? m : k,
        strideA = (transposeA ? k : m) * lda,
        transposeB = false,
        n,
        ldb = transposeB ? k : n,
        strideB = (transposeB ? n : k) * ldb,
        ldc = n,
        strideC = m * ldc,
      } = args;
      return call(2 * batch * m * n * k, [
        callArray('in', 'a', args.a, [batch, transposeA ? k : m, transposeA ? m : k], { strides: [strideA, lda, 1] }),
        callArray('in', 'b', args.b, [batch, transposeB ? n : k, transposeB ? k : n], { strides: [strideB, ldb, 1] }),
        callArray('inout', 'c', args.c, [batch, m, n], { strides: [strideC, ldc, 1] }),
        callArray('in', 'bias', args.bias, [n]),
      ]);
    },

    layerNormBackward(args) {
      const { rows, width } = args;
      return call(0, [
        callArray('in', 'x', args.x, [rows, width]),
        callArray('in', 'gamma', args.gamma, [width]),
        callArray('in', 'mean', args.mean, [rows]),
        callArray('in', 'inverseDeviation', args.inverseDeviation, [rows]),
        callArray('in', 'dOut', args.dOut, [rows, width]),
        callArray('out', 'dX', args.dX, [rows, width]),
        callArray('out', 'dGamma', args.dGamma, [width]),
        callArray('out', 'dBeta', args.dBeta, [width]),
      ]);
    },

    squaredNorm(x) {
      const count = x.length;
      return call(0, [callArray('in', 'x', x, [count])]);
    },

    adamW(args) {
      const count = args.parameter.length;
      return call(0, [
        callArray('inout', 'parameter', args.parameter, [count]),
        callArray('in', 'gradient', args.gradient, [count]),
        callArray('inout', 'firstMoment', args.firstMoment, [count]),
        callArray('inout', 'secondMoment', args.secondMoment, [count]),
      ]);
    },

    lshAttention(args) {
      const { batch, heads, length, dHead, dValue, numSequences, numHashes } = args;
      return call(0, [
        callArray('in', 'q', args.q, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
          rows: 'queries',
        }),
        callArray('in', 'v', args.v, [batch, heads, length, dValue], {
          strides: headStrides(args.layout, heads, length, dValue),
          rows: 'queries',
        }),
        callArray('in', 'keyMask', args.keyMask, [batch, length]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'order', args.order, [numHashes, batch, heads, length]),
        callArray('in', 'chunks', args.chunks, [numHashes, batch, heads, length]),
        callArray('inout', 'out', args.out, [batch, heads, length, dValue], {
          strides: headStrides(args.layout, heads, length, dValue),
          rows: 'queries',
        }),
        callArray('inout', 'references', args.references, [batch, heads, length], {
          rows: 'queries',
          holdsInfinities: true,
        }),
        callArray('inout', 'sums', args.sums, [batch, heads, length], { rows: 'queries' }),
      ]);
    },

    lshAttentionBackward(args) {
      const { batch, heads, length, dHead, dValue, numSequences, numHashes } = args;
      return call(0, [
        callArray('in', 'q', args.q, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
          rows: 'queries',
        }),
        callArray('in', 'v', args.v, [batch, heads, length, dValue], {
          strides: headStrides(args.layout, heads, length, dValue),
          rows: 'queries',
        }),
        callArray('in', 'keyMask', args.keyMask, [batch, length]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'order', args.order, [numHashes, batch, heads, length]),
        callArray('in', 'chunks', args.chunks, [numHashes, batch, heads, length]),
        callArray('in', 'out', args.out, [batch, heads, length, dValue], {
          strides: headStrides(args.layout, heads, length, dValue),
          rows: 'queries',
        }),
        callArray('in', 'references', args.references, [batch, heads, length], {
          rows: 'queries',
          holdsInfinities: true,
        }),
        callArray('in', 'sums', args.sums, [batch, heads, length], { rows: 'queries' }),
        callArray('in', 'dOut', args.dOut, [batch, heads, length, dValue], {
          strides: headStrides(args.layout, heads, length, dValue),
          rows: 'queries',
        }),
        callArray('inout', 'dQ', args.dQ, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
          rows: 'queries',
        }),
        callArray('inout', 'dV', args.dV, [batch, heads, length, dValue], {
          strides: headStrides(args.layout, heads, length, dValue),
          rows: 'queries',
        }),
      ]);
    },

    favor(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const { dValue, lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      return call(
        2 * batchK * heads * lengthK * numFeatures * (dHead + dValue + 1) +
          2 * batchQ * heads * lengthQ * numFeatures * (dHead + dValue + 1),
        [
          callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          }),
          callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
          callArray('in', 'projection', args.projection, [projectionSize]),
          callArray('in', 'bias', args.bias, [numFeatures]),
          callArray('out', 'sums', args.sums, [numSequences, heads, numFeatures, dValue + 1]),
          callArray('out', 'compensation', args.compensation, [numSequences, heads, numFeatures, dValue + 1]),
          callArray('out', 'scales', args.scales, [numSequences, heads, numFeatures], { holdsInfinities: true }),
          callArray('out', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          }),
          callArray('out', 'denominator', args.denominator, [batchQ, heads, lengthQ], { rows: 'queries' }),
          callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          }),
          callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          }),
          callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        ],
      );
    },

    fill(x) {
      const count = x.length;
      return call(0, [callArray('out', 'x', x, [count], { holdsInfinities: true })]);
    },

    add(a, b, out) {
      const count = out.length;
      return call(0, [
        callArray('in', 'a', a, [count]),
        callArray('in', 'b', b, [count]),
        callArray('out', 'out', out, [count]),
      ]);
    },

    axpy(_alpha, x, y) {
      const count = y.length;
      return call(0, [callArray('in', 'x', x, [count]), callArray('inout', 'y', y, [count])]);
    },

    scale(x, out) {
      const count = out.length;
      return call(0, [callArray('in', 'x', x, [count]), callArray('out', 'out', out, [count])]);
    },

    scaleRows(args) {
      const { rows, width } = args;
      const numFactors = args.factors.length;
      return call(0, [
        callArray('in', 'x', args.x, [rows, width]),
        callArray('in', 'factors', args.factors, [Math.max(numFactors, Math.min(1, rows))]),
        callArray('out', 'out', args.out, [rows, width]),
      ]);
    },

    activation(_kind, x, out) {
      const count = out.length;
      return call(0, [callArray('in', 'x', x, [count]), callArray('out', 'out', out, [count])]);
    },

    activationBackward(_kind, x, dOut, dX) {
      const count = dX.length;
      return call(0, [
        callArray('in', 'x', x, [count]),
        callArray('in', 'dOut', dOut, [count]),
        callArray('out', 'dX', dX, [count]),
      ]);
    },

    sumAxis(args) {
      const { outer, length, inner } = args;
      return call(0, [
        callArray('in', 'x', args.x, [outer, length, inner]),
        callArray('inout', 'out', args.out, [outer, inner]),
      ]);
    },

    stridedCopy(args) {
      const span1 = rowsOf(args.x);
      const span2 = rowsOf(args.out);
      const { numAxes } = args;
      return call(0, [
        callArray('in', 'x', args.x, [span1]),
        callArray('out', 'out', args.out, [span2], { isPartlyWritten: true }),
        callArray('in', 'layout', args.layout, [numAxes, 3]),
      ]);
    },

    binary(args) {
      const span1 = rowsOf(args.a);
      const span2 = rowsOf(args.b);
      const { count, numAxes } = args;
      return call(0, [
        callArray('in', 'a', args.a, [span1]),
        callArray('in', 'b', args.b, [span2]),
        callArray('out', 'out', args.out, [count]),
        callArray('in', 'layout', args.layout, [numAxes, 3]),
      ]);
    },

    select(args) {
      const span1 = rowsOf(args.condition);
      const span2 = rowsOf(args.a);
      const span3 = rowsOf(args.b);
      const { count, numAxes } = args;
      return call(0, [
        callArray('in', 'condition', args.condition, [span1]),
        callArray('in', 'a', args.a, [span2]),
        callArray('in', 'b', args.b, [span3]),
        callArray('out', 'out', args.out, [count], { holdsInfinities: true }),
        callArray('in', 'layout', args.layout, [numAxes, 4]),
      ]);
    },

    softmax(args) {
      const { rows, width } = args;
      return call(0, [
        callArray('in', 'x', args.x, [rows, width]),
        callArray('out', 'out', args.out, [rows, width], { holdsInfinities: true }),
      ]);
    },

    softmaxBackward(args) {
      const { rows, width } = args;
      return call(0, [
        callArray('in', 'out', args.out, [rows, width]),
        callArray('in', 'dOut', args.dOut, [rows, width]),
        callArray('out', 'dX', args.dX, [rows, width]),
      ]);
    },

    layerNorm(args) {
      const { rows, width } = args;
      return call(0, [
        callArray('in', 'x', args.x, [rows, width]),
        callArray('in', 'gamma', args.gamma, [width]),
        callArray('in', 'beta', args.beta, [width]),
        callArray('out', 'out', args.out, [rows, width]),
        callArray('out', 'mean', args.mean, [rows]),
        callArray('out', 'inverseDeviation', args.inverseDeviation, [rows]),
      ]);
    },

    embedding(args) {
      const { width } = args;
      const tableRows = Math.floor(args.table.length / width);
      const { count } = args;
      return call(0, [
        callArray('in', 'table', args.table, [tableRows, width]),
        callArray('in', 'ids', args.ids, [count]),
        callArray('out', 'out', args.out, [count, width]),
      ]);
    },

    embeddingBackward(args) {
      const { count, width } = args;
      const tableRows = Math.floor(args.dTable.length / width);
      return call(0, [
        callArray('in', 'ids', args.ids, [count]),
        callArray('in', 'dOut', args.dOut, [count, width]),
        callArray('inout', 'dTable', args.dTable, [tableRows, width]),
      ]);
    },

    rotary(args) {
      const { batch, heads, length, dHead } = args;
      return call(0, [
        callArray('in', 'x', args.x, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
        }),
        callArray('out', 'out', args.out, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
        }),
      ]);
    },

    dropout(args) {
      const count = args.out.length;
      return call(0, [callArray('in', 'x', args.x, [count]), callArray('out', 'out', args.out, [count])]);
    },

    softmaxCrossEntropy(args) {
      const { rows, vocabSize } = args;
      return call(0, [
        callArray('in', 'logits', args.logits, [rows, vocabSize]),
        callArray('in', 'targets', args.targets, [rows]),
        callArray('out', 'loss', args.loss, [rows]),
        callArray('out', 'correct', args.correct, [rows]),
        callArray('out', 'dLogits', args.dLogits, [rows, vocabSize]),
      ]);
    },

    softmaxKlDivergence(args) {
      const { rows, vocabSize } = args;
      return call(0, [
        callArray('in', 'logits', args.logits, [rows, vocabSize]),
        callArray('in', 'targets', args.targets, [rows, vocabSize]),
        callArray('out', 'loss', args.loss, [rows]),
        callArray('out', 'correct', args.correct, [rows]),
        callArray('out', 'dLogits', args.dLogits, [rows, vocabSize]),
      ]);
    },

    softmaxAttention(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, causal } = args;
      return call(2 * batchQ * heads * lengthQ * lengthK * (dHead + dValue) * (causal ? 0.5 : 1), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('out', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('out', 'logSumExp', args.logSumExp, [batchQ, heads, lengthQ], {
          rows: 'queries',
          holdsInfinities: true,
        }),
      ]);
    },

    softmaxAttentionBackward(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, causal } = args;
      return call(2 * batchQ * heads * lengthQ * lengthK * (3 * dHead + 2 * dValue) * (causal ? 0.5 : 1), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('in', 'logSumExp', args.logSumExp, [batchQ, heads, lengthQ], {
          rows: 'queries',
          holdsInfinities: true,
        }),
        callArray('in', 'dOut', args.dOut, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('out', 'dQ', args.dQ, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('out', 'dK', args.dK, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('out', 'dV', args.dV, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
      ]);
    },

    lshSort(args) {
      const { batch, heads, length, dHead, numHashes, numRotations, numSequences } = args;
      return call(0, [
        callArray('in', 'q', args.q, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
          rows: 'queries',
        }),
        callArray('in', 'rotations', args.rotations, [numHashes, numRotations, dHead]),
        callArray('in', 'keyMask', args.keyMask, [batch, length]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('out', 'order', args.order, [numHashes, batch, heads, length]),
        callArray('out', 'chunks', args.chunks, [numHashes, batch, heads, length]),
      ]);
    },

    favorFeatures(args) {
      const { batch, heads, length, dHead, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return call(2 * batch * heads * length * dHead * numFeatures, [
        callArray('in', 'x', args.x, [batch, heads, length, dHead], {
          strides: headStrides(args.layout, heads, length, dHead),
        }),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('out', 'out', args.out, [batch, heads, length, numFeatures]),
      ]);
    },

    favorBackward(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 2 * dValue + 2), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('in', 'sums', args.sums, [numSequences, heads, numFeatures, dValue + 1]),
        callArray('in', 'compensation', args.compensation, [numSequences, heads, numFeatures, dValue + 1]),
        callArray('in', 'scales', args.scales, [numSequences, heads, numFeatures], { holdsInfinities: true }),
        callArray('in', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('in', 'denominator', args.denominator, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray('in', 'dOut', args.dOut, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('out', 'dQ', args.dQ, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('out', 'dK', args.dK, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('out', 'dV', args.dV, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
      ]);
    },

    favorCausal(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (dHead + dValue + 1), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('inout', 'sums', args.sums, [numSequences, heads, numFeatures, dValue + 1]),
        callArray('inout', 'compensation', args.compensation, [numSequences, heads, numFeatures, dValue + 1]),
        callArray('inout', 'scales', args.scales, [numSequences, heads, numFeatures], { holdsInfinities: true }),
        callArray('out', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('out', 'denominator', args.denominator, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray(
          'out',
          'snapshots',
          args.snapshots,
          [numSequences, heads, Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2],
          { isPartlyWritten: true },
        ),
      ]);
    },

    favorCausalBackward(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 3 * dValue + 3), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('in', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('in', 'denominator', args.denominator, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray('in', 'snapshots', args.snapshots, [
          numSequences,
          heads,
          Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS),
          numFeatures,
          dValue + 2,
        ]),
        callArray('in', 'dOut', args.dOut, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('out', 'dQ', args.dQ, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('out', 'dK', args.dK, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('out', 'dV', args.dV, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
      ]);
    },

    farField(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const { block } = args;
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (dHead + dValue + 1), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('in', 'gain', args.gain, [heads]),
        callArray('inout', 'sums', args.sums, [numSequences, heads, numFeatures, dValue + 1]),
        callArray('inout', 'compensation', args.compensation, [numSequences, heads, numFeatures, dValue + 1]),
        callArray('inout', 'scales', args.scales, [numSequences, heads, numFeatures], { holdsInfinities: true }),
        callArray('inout', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('inout', 'logSumExp', args.logSumExp, [batchQ, heads, lengthQ], {
          rows: 'queries',
          holdsInfinities: true,
        }),
        callArray('out', 'shares', args.shares, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray('out', 'kept', args.kept, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray(
          'out',
          'snapshots',
          args.snapshots,
          [
            numSequences,
            heads,
            Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4,
            numFeatures,
            dValue + 2,
          ],
          { isPartlyWritten: true },
        ),
      ]);
    },

    farFieldBackward(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { dValue, numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const { block } = args;
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 2 * dValue + 2), [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'v', args.v, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('in', 'gain', args.gain, [heads]),
        callArray('in', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('in', 'shares', args.shares, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray('in', 'snapshots', args.snapshots, [
          numSequences,
          heads,
          Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4,
          numFeatures,
          dValue + 2,
        ]),
        callArray('in', 'dOut', args.dOut, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('inout', 'dQ', args.dQ, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('inout', 'dK', args.dK, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('inout', 'dV', args.dV, [batchK, heads, lengthK, dValue], {
          strides: headStrides(args.layout, heads, lengthK, dValue),
          rows: 'keys',
        }),
        callArray('out', 'dGain', args.dGain, [numSequences, heads]),
      ]);
    },

    nearMass(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * dHead, [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('out', 'logMass', args.logMass, [batchQ, heads, lengthQ], { rows: 'queries', holdsInfinities: true }),
      ]);
    },

    nearMassBackward(args) {
      const { heads, lengthQ, dHead } = args;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const { lengthK } = args;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const { numSequences, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const { dValue } = args;
      return call(2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * 2 * dHead, [
        callArray('in', 'q', args.q, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('in', 'k', args.k, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
        callArray('in', 'keyMask', args.keyMask, [batchK, lengthK]),
        callArray('in', 'sequences', args.sequences, [numSequences, SEQUENCE_COLUMNS]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('in', 'nearOut', args.nearOut, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('in', 'out', args.out, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('in', 'kept', args.kept, [batchQ, heads, lengthQ], { rows: 'queries' }),
        callArray('in', 'dOut', args.dOut, [batchQ, heads, lengthQ, dValue], {
          strides: headStrides(args.layout, heads, lengthQ, dValue),
          rows: 'queries',
        }),
        callArray('inout', 'dQ', args.dQ, [batchQ, heads, lengthQ, dHead], {
          strides: headStrides(args.layout, heads, lengthQ, dHead),
          rows: 'queries',
        }),
        callArray('inout', 'dK', args.dK, [batchK, heads, lengthK, dHead], {
          strides: headStrides(args.layout, heads, lengthK, dHead),
          rows: 'keys',
        }),
      ]);
    },

    favorStep(args) {
      const { batch, heads, dHead, dValue, numFeatures, form, factors, directions } = args;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return call(4 * batch * heads * numFeatures * (dHead + dValue + 1), [
        callArray('in', 'q', args.q, [batch, heads, dHead]),
        callArray('in', 'k', args.k, [batch, heads, dHead]),
        callArray('in', 'v', args.v, [batch, heads, dValue]),
        callArray('in', 'projection', args.projection, [projectionSize]),
        callArray('in', 'bias', args.bias, [numFeatures]),
        callArray('inout', 'sums', args.sums, [batch, heads, numFeatures, dValue + 1]),
        callArray('inout', 'compensation', args.compensation, [batch, heads, numFeatures, dValue + 1]),
        callArray('inout', 'scales', args.scales, [batch, heads, numFeatures], { holdsInfinities: true }),
        callArray('out', 'out', args.out, [batch, heads, dValue]),
      ]);
    },

    peak(args) {
      const units = args.out.length;
      const { iterations } = args;
      return call(3072 * iterations * units, [callArray('out', 'out', args.out, [units])]);
    },
  };
