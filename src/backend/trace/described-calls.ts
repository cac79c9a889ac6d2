/** Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build. */
import { projectionLength } from '../estimator.ts';
import {
  type AdamWArguments,
  type BinaryArguments,
  type DropoutArguments,
  type EmbeddingArguments,
  type EmbeddingBackwardArguments,
  type FarFieldArguments,
  type FarFieldBackwardArguments,
  type FavorArguments,
  type FavorBackwardArguments,
  type FavorCausalArguments,
  type FavorCausalBackwardArguments,
  type FavorFeaturesArguments,
  type FavorStepArguments,
  type GemmArguments,
  type LayerNormArguments,
  type LayerNormBackwardArguments,
  type LshAttentionArguments,
  type LshAttentionBackwardArguments,
  type LshSortArguments,
  type NearMassArguments,
  type NearMassBackwardArguments,
  type Operations,
  type PeakArguments,
  type RotaryArguments,
  type ScaleRowsArguments,
  SEQUENCE_COLUMNS,
  type SelectArguments,
  SNAPSHOT_KEYS,
  type SoftmaxArguments,
  type SoftmaxAttentionArguments,
  type SoftmaxAttentionBackwardArguments,
  type SoftmaxBackwardArguments,
  type SoftmaxCrossEntropyArguments,
  type SoftmaxKlDivergenceArguments,
  type StridedCopyArguments,
  type SumAxisArguments,
  type UnaryKind,
} from '../kernels.ts';
import type { Storage } from '../storage.ts';
import { type Call, headStrides, rowsOf } from './call.ts';

/** The arrays of every call with their shapes, and its flops. */
export const describedCalls: { readonly [Name in keyof Operations]: (...args: Parameters<Operations[Name]>) => Call } =
  {
    gemm(args: GemmArguments): Call {
      const batch = args.batch ?? 1;
      const transposeA = args.transposeA ?? false;
      const k = args.k;
      const m = args.m;
      const lda = args.lda ?? (transposeA ? m : k);
      const strideA = args.strideA ?? (transposeA ? k : m) * lda;
      const transposeB = args.transposeB ?? false;
      const n = args.n;
      const ldb = args.ldb ?? (transposeB ? k : n);
      const strideB = args.strideB ?? (transposeB ? n : k) * ldb;
      const ldc = args.ldc ?? n;
      const strideC = args.strideC ?? m * ldc;
      return {
        arrays: [
          {
            name: 'a',
            role: 'in',
            storage: args.a,
            shape: [batch, transposeA ? k : m, transposeA ? m : k],
            strides: [strideA, lda, 1],
          },
          {
            name: 'b',
            role: 'in',
            storage: args.b,
            shape: [batch, transposeB ? n : k, transposeB ? k : n],
            strides: [strideB, ldb, 1],
          },
          { name: 'c', role: 'inout', storage: args.c, shape: [batch, m, n], strides: [strideC, ldc, 1] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [n] },
        ],
        flops: 2 * batch * m * n * k,
      };
    },

    layerNormBackward(args: LayerNormBackwardArguments): Call {
      const rows = args.rows;
      const width = args.width;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [rows, width] },
          { name: 'gamma', role: 'in', storage: args.gamma, shape: [width] },
          { name: 'mean', role: 'in', storage: args.mean, shape: [rows] },
          { name: 'inverseDeviation', role: 'in', storage: args.inverseDeviation, shape: [rows] },
          { name: 'dOut', role: 'in', storage: args.dOut, shape: [rows, width] },
          { name: 'dX', role: 'out', storage: args.dX, shape: [rows, width] },
          { name: 'dGamma', role: 'out', storage: args.dGamma, shape: [width] },
          { name: 'dBeta', role: 'out', storage: args.dBeta, shape: [width] },
        ],
        flops: 0,
      };
    },

    squaredNorm(x: Storage): Call {
      const count = x.length;
      return { arrays: [{ name: 'x', role: 'in', storage: x, shape: [count] }], flops: 0 };
    },

    adamW(args: AdamWArguments): Call {
      const count = args.parameter.length;
      return {
        arrays: [
          { name: 'parameter', role: 'inout', storage: args.parameter, shape: [count] },
          { name: 'gradient', role: 'in', storage: args.gradient, shape: [count] },
          { name: 'firstMoment', role: 'inout', storage: args.firstMoment, shape: [count] },
          { name: 'secondMoment', role: 'inout', storage: args.secondMoment, shape: [count] },
        ],
        flops: 0,
      };
    },

    lshAttention(args: LshAttentionArguments): Call {
      const batch = args.batch;
      const heads = args.heads;
      const length = args.length;
      const dHead = args.dHead;
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numHashes = args.numHashes;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
            rows: 'queries',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batch, heads, length, dValue],
            strides: headStrides(args.layout, heads, length, dValue),
            rows: 'queries',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batch, length] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'order', role: 'in', storage: args.order, shape: [numHashes, batch, heads, length] },
          { name: 'chunks', role: 'in', storage: args.chunks, shape: [numHashes, batch, heads, length] },
          {
            name: 'out',
            role: 'inout',
            storage: args.out,
            shape: [batch, heads, length, dValue],
            strides: headStrides(args.layout, heads, length, dValue),
            rows: 'queries',
          },
          {
            name: 'references',
            role: 'inout',
            storage: args.references,
            shape: [batch, heads, length],
            rows: 'queries',
            holdsInfinities: true,
          },
          { name: 'sums', role: 'inout', storage: args.sums, shape: [batch, heads, length], rows: 'queries' },
        ],
        flops: 0,
      };
    },

    lshAttentionBackward(args: LshAttentionBackwardArguments): Call {
      const batch = args.batch;
      const heads = args.heads;
      const length = args.length;
      const dHead = args.dHead;
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numHashes = args.numHashes;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
            rows: 'queries',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batch, heads, length, dValue],
            strides: headStrides(args.layout, heads, length, dValue),
            rows: 'queries',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batch, length] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'order', role: 'in', storage: args.order, shape: [numHashes, batch, heads, length] },
          { name: 'chunks', role: 'in', storage: args.chunks, shape: [numHashes, batch, heads, length] },
          {
            name: 'out',
            role: 'in',
            storage: args.out,
            shape: [batch, heads, length, dValue],
            strides: headStrides(args.layout, heads, length, dValue),
            rows: 'queries',
          },
          {
            name: 'references',
            role: 'in',
            storage: args.references,
            shape: [batch, heads, length],
            rows: 'queries',
            holdsInfinities: true,
          },
          { name: 'sums', role: 'in', storage: args.sums, shape: [batch, heads, length], rows: 'queries' },
          {
            name: 'dOut',
            role: 'in',
            storage: args.dOut,
            shape: [batch, heads, length, dValue],
            strides: headStrides(args.layout, heads, length, dValue),
            rows: 'queries',
          },
          {
            name: 'dQ',
            role: 'inout',
            storage: args.dQ,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
            rows: 'queries',
          },
          {
            name: 'dV',
            role: 'inout',
            storage: args.dV,
            shape: [batch, heads, length, dValue],
            strides: headStrides(args.layout, heads, length, dValue),
            rows: 'queries',
          },
        ],
        flops: 0,
      };
    },

    favor(args: FavorArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const dValue = args.dValue;
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'sums', role: 'out', storage: args.sums, shape: [numSequences, heads, numFeatures, dValue + 1] },
          {
            name: 'compensation',
            role: 'out',
            storage: args.compensation,
            shape: [numSequences, heads, numFeatures, dValue + 1],
          },
          {
            name: 'scales',
            role: 'out',
            storage: args.scales,
            shape: [numSequences, heads, numFeatures],
            holdsInfinities: true,
          },
          {
            name: 'out',
            role: 'out',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'denominator',
            role: 'out',
            storage: args.denominator,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
        ],
        flops:
          2 * batchK * heads * lengthK * numFeatures * (dHead + dValue + 1) +
          2 * batchQ * heads * lengthQ * numFeatures * (dHead + dValue + 1),
      };
    },

    fill(x: Storage, _value: number): Call {
      const count = x.length;
      return { arrays: [{ name: 'x', role: 'out', storage: x, shape: [count], holdsInfinities: true }], flops: 0 };
    },

    add(a: Storage, b: Storage, out: Storage): Call {
      const count = out.length;
      return {
        arrays: [
          { name: 'a', role: 'in', storage: a, shape: [count] },
          { name: 'b', role: 'in', storage: b, shape: [count] },
          { name: 'out', role: 'out', storage: out, shape: [count] },
        ],
        flops: 0,
      };
    },

    axpy(_alpha: number, x: Storage, y: Storage): Call {
      const count = y.length;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: x, shape: [count] },
          { name: 'y', role: 'inout', storage: y, shape: [count] },
        ],
        flops: 0,
      };
    },

    scale(x: Storage, out: Storage, _alpha: number): Call {
      const count = out.length;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: x, shape: [count] },
          { name: 'out', role: 'out', storage: out, shape: [count] },
        ],
        flops: 0,
      };
    },

    scaleRows(args: ScaleRowsArguments): Call {
      const rows = args.rows;
      const width = args.width;
      const numFactors = args.factors.length;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [rows, width] },
          { name: 'factors', role: 'in', storage: args.factors, shape: [Math.max(numFactors, Math.min(1, rows))] },
          { name: 'out', role: 'out', storage: args.out, shape: [rows, width] },
        ],
        flops: 0,
      };
    },

    activation(_kind: UnaryKind, x: Storage, out: Storage): Call {
      const count = out.length;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: x, shape: [count] },
          { name: 'out', role: 'out', storage: out, shape: [count] },
        ],
        flops: 0,
      };
    },

    activationBackward(_kind: UnaryKind, x: Storage, dOut: Storage, dX: Storage): Call {
      const count = dX.length;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: x, shape: [count] },
          { name: 'dOut', role: 'in', storage: dOut, shape: [count] },
          { name: 'dX', role: 'out', storage: dX, shape: [count] },
        ],
        flops: 0,
      };
    },

    sumAxis(args: SumAxisArguments): Call {
      const outer = args.outer;
      const length = args.length;
      const inner = args.inner;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [outer, length, inner] },
          { name: 'out', role: 'inout', storage: args.out, shape: [outer, inner] },
        ],
        flops: 0,
      };
    },

    stridedCopy(args: StridedCopyArguments): Call {
      const span1 = rowsOf(args.x);
      const span2 = rowsOf(args.out);
      const numAxes = args.numAxes;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [span1] },
          { name: 'out', role: 'out', storage: args.out, shape: [span2], isPartlyWritten: true },
          { name: 'layout', role: 'in', storage: args.layout, shape: [numAxes, 3] },
        ],
        flops: 0,
      };
    },

    binary(args: BinaryArguments): Call {
      const span1 = rowsOf(args.a);
      const span2 = rowsOf(args.b);
      const count = args.count;
      const numAxes = args.numAxes;
      return {
        arrays: [
          { name: 'a', role: 'in', storage: args.a, shape: [span1] },
          { name: 'b', role: 'in', storage: args.b, shape: [span2] },
          { name: 'out', role: 'out', storage: args.out, shape: [count] },
          { name: 'layout', role: 'in', storage: args.layout, shape: [numAxes, 3] },
        ],
        flops: 0,
      };
    },

    select(args: SelectArguments): Call {
      const span1 = rowsOf(args.condition);
      const span2 = rowsOf(args.a);
      const span3 = rowsOf(args.b);
      const count = args.count;
      const numAxes = args.numAxes;
      return {
        arrays: [
          { name: 'condition', role: 'in', storage: args.condition, shape: [span1] },
          { name: 'a', role: 'in', storage: args.a, shape: [span2] },
          { name: 'b', role: 'in', storage: args.b, shape: [span3] },
          { name: 'out', role: 'out', storage: args.out, shape: [count], holdsInfinities: true },
          { name: 'layout', role: 'in', storage: args.layout, shape: [numAxes, 4] },
        ],
        flops: 0,
      };
    },

    softmax(args: SoftmaxArguments): Call {
      const rows = args.rows;
      const width = args.width;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [rows, width] },
          { name: 'out', role: 'out', storage: args.out, shape: [rows, width], holdsInfinities: true },
        ],
        flops: 0,
      };
    },

    softmaxBackward(args: SoftmaxBackwardArguments): Call {
      const rows = args.rows;
      const width = args.width;
      return {
        arrays: [
          { name: 'out', role: 'in', storage: args.out, shape: [rows, width] },
          { name: 'dOut', role: 'in', storage: args.dOut, shape: [rows, width] },
          { name: 'dX', role: 'out', storage: args.dX, shape: [rows, width] },
        ],
        flops: 0,
      };
    },

    layerNorm(args: LayerNormArguments): Call {
      const rows = args.rows;
      const width = args.width;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [rows, width] },
          { name: 'gamma', role: 'in', storage: args.gamma, shape: [width] },
          { name: 'beta', role: 'in', storage: args.beta, shape: [width] },
          { name: 'out', role: 'out', storage: args.out, shape: [rows, width] },
          { name: 'mean', role: 'out', storage: args.mean, shape: [rows] },
          { name: 'inverseDeviation', role: 'out', storage: args.inverseDeviation, shape: [rows] },
        ],
        flops: 0,
      };
    },

    embedding(args: EmbeddingArguments): Call {
      const width = args.width;
      const tableRows = Math.floor(args.table.length / width);
      const count = args.count;
      return {
        arrays: [
          { name: 'table', role: 'in', storage: args.table, shape: [tableRows, width] },
          { name: 'ids', role: 'in', storage: args.ids, shape: [count] },
          { name: 'out', role: 'out', storage: args.out, shape: [count, width] },
        ],
        flops: 0,
      };
    },

    embeddingBackward(args: EmbeddingBackwardArguments): Call {
      const count = args.count;
      const width = args.width;
      const tableRows = Math.floor(args.dTable.length / width);
      return {
        arrays: [
          { name: 'ids', role: 'in', storage: args.ids, shape: [count] },
          { name: 'dOut', role: 'in', storage: args.dOut, shape: [count, width] },
          { name: 'dTable', role: 'inout', storage: args.dTable, shape: [tableRows, width] },
        ],
        flops: 0,
      };
    },

    rotary(args: RotaryArguments): Call {
      const batch = args.batch;
      const heads = args.heads;
      const length = args.length;
      const dHead = args.dHead;
      return {
        arrays: [
          {
            name: 'x',
            role: 'in',
            storage: args.x,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
          },
          {
            name: 'out',
            role: 'out',
            storage: args.out,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
          },
        ],
        flops: 0,
      };
    },

    dropout(args: DropoutArguments): Call {
      const count = args.out.length;
      return {
        arrays: [
          { name: 'x', role: 'in', storage: args.x, shape: [count] },
          { name: 'out', role: 'out', storage: args.out, shape: [count] },
        ],
        flops: 0,
      };
    },

    softmaxCrossEntropy(args: SoftmaxCrossEntropyArguments): Call {
      const rows = args.rows;
      const vocabSize = args.vocabSize;
      return {
        arrays: [
          { name: 'logits', role: 'in', storage: args.logits, shape: [rows, vocabSize] },
          { name: 'targets', role: 'in', storage: args.targets, shape: [rows] },
          { name: 'loss', role: 'out', storage: args.loss, shape: [rows] },
          { name: 'correct', role: 'out', storage: args.correct, shape: [rows] },
          { name: 'dLogits', role: 'out', storage: args.dLogits, shape: [rows, vocabSize] },
        ],
        flops: 0,
      };
    },

    softmaxKlDivergence(args: SoftmaxKlDivergenceArguments): Call {
      const rows = args.rows;
      const vocabSize = args.vocabSize;
      return {
        arrays: [
          { name: 'logits', role: 'in', storage: args.logits, shape: [rows, vocabSize] },
          { name: 'targets', role: 'in', storage: args.targets, shape: [rows, vocabSize] },
          { name: 'loss', role: 'out', storage: args.loss, shape: [rows] },
          { name: 'correct', role: 'out', storage: args.correct, shape: [rows] },
          { name: 'dLogits', role: 'out', storage: args.dLogits, shape: [rows, vocabSize] },
        ],
        flops: 0,
      };
    },

    softmaxAttention(args: SoftmaxAttentionArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const causal = args.causal;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          {
            name: 'out',
            role: 'out',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'logSumExp',
            role: 'out',
            storage: args.logSumExp,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
            holdsInfinities: true,
          },
        ],
        flops: 2 * batchQ * heads * lengthQ * lengthK * (dHead + dValue) * (causal ? 0.5 : 1),
      };
    },

    softmaxAttentionBackward(args: SoftmaxAttentionBackwardArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const causal = args.causal;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          {
            name: 'out',
            role: 'in',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'logSumExp',
            role: 'in',
            storage: args.logSumExp,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
            holdsInfinities: true,
          },
          {
            name: 'dOut',
            role: 'in',
            storage: args.dOut,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'dQ',
            role: 'out',
            storage: args.dQ,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'dK',
            role: 'out',
            storage: args.dK,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'dV',
            role: 'out',
            storage: args.dV,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
        ],
        flops: 2 * batchQ * heads * lengthQ * lengthK * (3 * dHead + 2 * dValue) * (causal ? 0.5 : 1),
      };
    },

    lshSort(args: LshSortArguments): Call {
      const batch = args.batch;
      const heads = args.heads;
      const length = args.length;
      const dHead = args.dHead;
      const numHashes = args.numHashes;
      const numRotations = args.numRotations;
      const numSequences = args.numSequences;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
            rows: 'queries',
          },
          { name: 'rotations', role: 'in', storage: args.rotations, shape: [numHashes, numRotations, dHead] },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batch, length] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'order', role: 'out', storage: args.order, shape: [numHashes, batch, heads, length] },
          { name: 'chunks', role: 'out', storage: args.chunks, shape: [numHashes, batch, heads, length] },
        ],
        flops: 0,
      };
    },

    favorFeatures(args: FavorFeaturesArguments): Call {
      const batch = args.batch;
      const heads = args.heads;
      const length = args.length;
      const dHead = args.dHead;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return {
        arrays: [
          {
            name: 'x',
            role: 'in',
            storage: args.x,
            shape: [batch, heads, length, dHead],
            strides: headStrides(args.layout, heads, length, dHead),
          },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'out', role: 'out', storage: args.out, shape: [batch, heads, length, numFeatures] },
        ],
        flops: 2 * batch * heads * length * dHead * numFeatures,
      };
    },

    favorBackward(args: FavorBackwardArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'sums', role: 'in', storage: args.sums, shape: [numSequences, heads, numFeatures, dValue + 1] },
          {
            name: 'compensation',
            role: 'in',
            storage: args.compensation,
            shape: [numSequences, heads, numFeatures, dValue + 1],
          },
          {
            name: 'scales',
            role: 'in',
            storage: args.scales,
            shape: [numSequences, heads, numFeatures],
            holdsInfinities: true,
          },
          {
            name: 'out',
            role: 'in',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'denominator',
            role: 'in',
            storage: args.denominator,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
          },
          {
            name: 'dOut',
            role: 'in',
            storage: args.dOut,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'dQ',
            role: 'out',
            storage: args.dQ,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'dK',
            role: 'out',
            storage: args.dK,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'dV',
            role: 'out',
            storage: args.dV,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 2 * dValue + 2),
      };
    },

    favorCausal(args: FavorCausalArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'sums', role: 'inout', storage: args.sums, shape: [numSequences, heads, numFeatures, dValue + 1] },
          {
            name: 'compensation',
            role: 'inout',
            storage: args.compensation,
            shape: [numSequences, heads, numFeatures, dValue + 1],
          },
          {
            name: 'scales',
            role: 'inout',
            storage: args.scales,
            shape: [numSequences, heads, numFeatures],
            holdsInfinities: true,
          },
          {
            name: 'out',
            role: 'out',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'denominator',
            role: 'out',
            storage: args.denominator,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
          },
          {
            name: 'snapshots',
            role: 'out',
            storage: args.snapshots,
            shape: [numSequences, heads, Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2],
            isPartlyWritten: true,
          },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (dHead + dValue + 1),
      };
    },

    favorCausalBackward(args: FavorCausalBackwardArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          {
            name: 'out',
            role: 'in',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'denominator',
            role: 'in',
            storage: args.denominator,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
          },
          {
            name: 'snapshots',
            role: 'in',
            storage: args.snapshots,
            shape: [numSequences, heads, Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2],
          },
          {
            name: 'dOut',
            role: 'in',
            storage: args.dOut,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'dQ',
            role: 'out',
            storage: args.dQ,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'dK',
            role: 'out',
            storage: args.dK,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'dV',
            role: 'out',
            storage: args.dV,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 3 * dValue + 3),
      };
    },

    farField(args: FarFieldArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const block = args.block;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'gain', role: 'in', storage: args.gain, shape: [heads] },
          { name: 'sums', role: 'inout', storage: args.sums, shape: [numSequences, heads, numFeatures, dValue + 1] },
          {
            name: 'compensation',
            role: 'inout',
            storage: args.compensation,
            shape: [numSequences, heads, numFeatures, dValue + 1],
          },
          {
            name: 'scales',
            role: 'inout',
            storage: args.scales,
            shape: [numSequences, heads, numFeatures],
            holdsInfinities: true,
          },
          {
            name: 'out',
            role: 'inout',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'logSumExp',
            role: 'inout',
            storage: args.logSumExp,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
            holdsInfinities: true,
          },
          { name: 'shares', role: 'out', storage: args.shares, shape: [batchQ, heads, lengthQ], rows: 'queries' },
          { name: 'kept', role: 'out', storage: args.kept, shape: [batchQ, heads, lengthQ], rows: 'queries' },
          {
            name: 'snapshots',
            role: 'out',
            storage: args.snapshots,
            shape: [
              numSequences,
              heads,
              Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4,
              numFeatures,
              dValue + 2,
            ],
            isPartlyWritten: true,
          },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (dHead + dValue + 1),
      };
    },

    farFieldBackward(args: FarFieldBackwardArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const dValue = args.dValue;
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const block = args.block;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'v',
            role: 'in',
            storage: args.v,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'gain', role: 'in', storage: args.gain, shape: [heads] },
          {
            name: 'out',
            role: 'in',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          { name: 'shares', role: 'in', storage: args.shares, shape: [batchQ, heads, lengthQ], rows: 'queries' },
          {
            name: 'snapshots',
            role: 'in',
            storage: args.snapshots,
            shape: [
              numSequences,
              heads,
              Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4,
              numFeatures,
              dValue + 2,
            ],
          },
          {
            name: 'dOut',
            role: 'in',
            storage: args.dOut,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'dQ',
            role: 'inout',
            storage: args.dQ,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'dK',
            role: 'inout',
            storage: args.dK,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          {
            name: 'dV',
            role: 'inout',
            storage: args.dV,
            shape: [batchK, heads, lengthK, dValue],
            strides: headStrides(args.layout, heads, lengthK, dValue),
            rows: 'keys',
          },
          { name: 'dGain', role: 'out', storage: args.dGain, shape: [numSequences, heads] },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * (2 * dHead + 2 * dValue + 2),
      };
    },

    nearMass(args: NearMassArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          {
            name: 'logMass',
            role: 'out',
            storage: args.logMass,
            shape: [batchQ, heads, lengthQ],
            rows: 'queries',
            holdsInfinities: true,
          },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * dHead,
      };
    },

    nearMassBackward(args: NearMassBackwardArguments): Call {
      const heads = args.heads;
      const lengthQ = args.lengthQ;
      const dHead = args.dHead;
      const batchQ = rowsOf(args.q, heads, lengthQ, dHead);
      const lengthK = args.lengthK;
      const batchK = rowsOf(args.k, heads, lengthK, dHead);
      const numSequences = args.numSequences;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      const dValue = args.dValue;
      return {
        arrays: [
          {
            name: 'q',
            role: 'in',
            storage: args.q,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'k',
            role: 'in',
            storage: args.k,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
          { name: 'keyMask', role: 'in', storage: args.keyMask, shape: [batchK, lengthK] },
          { name: 'sequences', role: 'in', storage: args.sequences, shape: [numSequences, SEQUENCE_COLUMNS] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          {
            name: 'nearOut',
            role: 'in',
            storage: args.nearOut,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'out',
            role: 'in',
            storage: args.out,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          { name: 'kept', role: 'in', storage: args.kept, shape: [batchQ, heads, lengthQ], rows: 'queries' },
          {
            name: 'dOut',
            role: 'in',
            storage: args.dOut,
            shape: [batchQ, heads, lengthQ, dValue],
            strides: headStrides(args.layout, heads, lengthQ, dValue),
            rows: 'queries',
          },
          {
            name: 'dQ',
            role: 'inout',
            storage: args.dQ,
            shape: [batchQ, heads, lengthQ, dHead],
            strides: headStrides(args.layout, heads, lengthQ, dHead),
            rows: 'queries',
          },
          {
            name: 'dK',
            role: 'inout',
            storage: args.dK,
            shape: [batchK, heads, lengthK, dHead],
            strides: headStrides(args.layout, heads, lengthK, dHead),
            rows: 'keys',
          },
        ],
        flops: 2 * batchQ * heads * (lengthQ + lengthK) * numFeatures * 2 * dHead,
      };
    },

    favorStep(args: FavorStepArguments): Call {
      const batch = args.batch;
      const heads = args.heads;
      const dHead = args.dHead;
      const dValue = args.dValue;
      const numFeatures = args.numFeatures;
      const form = args.form;
      const factors = args.factors;
      const directions = args.directions;
      const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
      return {
        arrays: [
          { name: 'q', role: 'in', storage: args.q, shape: [batch, heads, dHead] },
          { name: 'k', role: 'in', storage: args.k, shape: [batch, heads, dHead] },
          { name: 'v', role: 'in', storage: args.v, shape: [batch, heads, dValue] },
          { name: 'projection', role: 'in', storage: args.projection, shape: [projectionSize] },
          { name: 'bias', role: 'in', storage: args.bias, shape: [numFeatures] },
          { name: 'sums', role: 'inout', storage: args.sums, shape: [batch, heads, numFeatures, dValue + 1] },
          {
            name: 'compensation',
            role: 'inout',
            storage: args.compensation,
            shape: [batch, heads, numFeatures, dValue + 1],
          },
          {
            name: 'scales',
            role: 'inout',
            storage: args.scales,
            shape: [batch, heads, numFeatures],
            holdsInfinities: true,
          },
          { name: 'out', role: 'out', storage: args.out, shape: [batch, heads, dValue] },
        ],
        flops: 4 * batch * heads * numFeatures * (dHead + dValue + 1),
      };
    },

    peak(args: PeakArguments): Call {
      const units = args.out.length;
      const iterations = args.iterations;
      return {
        arrays: [{ name: 'out', role: 'out', storage: args.out, shape: [units] }],
        flops: 3072 * iterations * units,
      };
    },
  };
