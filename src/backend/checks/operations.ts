/** Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build. */

import {
  type AdamWArguments,
  attentionLayouts,
  type BinaryArguments,
  binaryKinds,
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
  featureMapKinds,
  type GemmArguments,
  type LayerNormArguments,
  type LayerNormBackwardArguments,
  type LshAttentionArguments,
  type LshAttentionBackwardArguments,
  type LshSortArguments,
  MAX_AXES,
  MAX_BLOCK,
  MAX_HEAD_WIDTH,
  MAX_ITERATIONS,
  MAX_SIZE,
  type NearMassArguments,
  type NearMassBackwardArguments,
  type Operations,
  type PeakArguments,
  projectionForms,
  type RotaryArguments,
  type ScaleRowsArguments,
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
  unaryKinds,
} from '../kernels.ts';
import { projectionLength } from '../projection-sizes.ts';
import type { Storage } from '../storage.ts';
import { argumentsOf, choice, evenSize, extent, flag, number, numberBelow, size, together } from './arguments.ts';
import { ArrayChecks } from './arrays.ts';

/** Every call with its checks: a call that passes goes to the backend behind, if there is anything to write. */
export abstract class CheckedOperations extends ArrayChecks implements Operations {
  gemm(args: GemmArguments): void {
    const where = 'gemm';
    argumentsOf(where, args);
    const m = size(where, 'm', args.m, 0, MAX_SIZE);
    const n = size(where, 'n', args.n, 0, MAX_SIZE);
    const k = size(where, 'k', args.k, 0, MAX_SIZE);
    const transposeA = flag(where, 'transposeA', args.transposeA === undefined ? false : args.transposeA);
    const transposeB = flag(where, 'transposeB', args.transposeB === undefined ? false : args.transposeB);
    const batch = size(where, 'batch', args.batch === undefined ? 1 : args.batch, 0, MAX_SIZE);
    const lda = size(where, 'lda', args.lda === undefined ? (transposeA ? m : k) : args.lda, 0, MAX_SIZE);
    const ldb = size(where, 'ldb', args.ldb === undefined ? (transposeB ? k : n) : args.ldb, 0, MAX_SIZE);
    const ldc = size(where, 'ldc', args.ldc === undefined ? n : args.ldc, 0, MAX_SIZE);
    const strideA = size(
      where,
      'strideA',
      args.strideA === undefined ? (transposeA ? k : m) * lda : args.strideA,
      0,
      MAX_SIZE,
    );
    const strideB = size(
      where,
      'strideB',
      args.strideB === undefined ? (transposeB ? n : k) * ldb : args.strideB,
      0,
      MAX_SIZE,
    );
    const strideC = size(where, 'strideC', args.strideC === undefined ? m * ldc : args.strideC, 0, MAX_SIZE);
    number(where, 'alpha', args.alpha === undefined ? 1 : args.alpha);
    flag(where, 'accumulate', args.accumulate === undefined ? false : args.accumulate);
    this.array(where, 'a', args.a, 'float32', extent(batch, strideA, transposeA ? k : m, lda, transposeA ? m : k, 1));
    this.array(where, 'b', args.b, 'float32', extent(batch, strideB, transposeB ? n : k, ldb, transposeB ? k : n, 1));
    this.array(where, 'c', args.c, 'float32', extent(batch, strideC, m, ldc, n, 1));
    this.optional(where, 'bias', args.bias, 'float32', n);
    if (extent(batch, strideC, m, ldc, n, 1) > 0) this.inner.gemm(args);
  }

  layerNormBackward(args: LayerNormBackwardArguments): void {
    const where = 'layerNormBackward';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 0, MAX_SIZE);
    this.array(where, 'x', args.x, 'float32', rows * width);
    this.array(where, 'gamma', args.gamma, 'float32', width);
    this.array(where, 'mean', args.mean, 'float32', rows);
    this.array(where, 'inverseDeviation', args.inverseDeviation, 'float32', rows);
    this.array(where, 'dOut', args.dOut, 'float32', rows * width);
    this.array(where, 'dX', args.dX, 'float32', rows * width);
    this.array(where, 'dGamma', args.dGamma, 'float32', width);
    this.array(where, 'dBeta', args.dBeta, 'float32', width);
    if (rows * width > 0 || width > 0) this.inner.layerNormBackward(args);
  }

  async squaredNorm(x: Storage): Promise<number> {
    const where = 'squaredNorm';
    this.length(where, 'x', x, 'float32');
    return this.inner.squaredNorm(x);
  }

  adamW(args: AdamWArguments): void {
    const where = 'adamW';
    argumentsOf(where, args);
    const count = this.length(where, 'parameter', args.parameter, 'float32');
    number(where, 'learningRate', args.learningRate);
    number(where, 'beta1', args.beta1);
    number(where, 'beta2', args.beta2);
    number(where, 'epsilon', args.epsilon);
    number(where, 'weightDecay', args.weightDecay);
    number(where, 'gradientScale', args.gradientScale);
    number(where, 'step', args.step);
    this.array(where, 'gradient', args.gradient, 'float32', count);
    this.array(where, 'firstMoment', args.firstMoment, 'float32', count);
    this.array(where, 'secondMoment', args.secondMoment, 'float32', count);
    if (count > 0) this.inner.adamW(args);
  }

  lshAttention(args: LshAttentionArguments): void {
    const where = 'lshAttention';
    argumentsOf(where, args);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const batch = size(where, 'batch', args.batch, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 0, MAX_SIZE);
    const length = size(where, 'length', args.length, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    number(where, 'scale', args.scale);
    size(where, 'chunkLength', args.chunkLength, 1, MAX_SIZE);
    const numHashes = size(where, 'numHashes', args.numHashes, 1, MAX_SIZE);
    this.selfSequences(where, args);
    this.array(where, 'q', args.q, 'float32', batch * heads * length * dHead);
    this.array(where, 'v', args.v, 'float32', batch * heads * length * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batch * length);
    this.array(where, 'order', args.order, 'int32', numHashes * batch * heads * length);
    this.array(where, 'chunks', args.chunks, 'int32', numHashes * batch * heads * length);
    this.array(where, 'out', args.out, 'float32', batch * heads * length * dValue);
    this.array(where, 'references', args.references, 'float32', batch * heads * length);
    this.array(where, 'sums', args.sums, 'float32', batch * heads * length);
    this.order(where, args);
    if (batch * heads * length > 0) this.inner.lshAttention(args);
  }

  lshAttentionBackward(args: LshAttentionBackwardArguments): void {
    const where = 'lshAttentionBackward';
    argumentsOf(where, args);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const batch = size(where, 'batch', args.batch, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 0, MAX_SIZE);
    const length = size(where, 'length', args.length, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    number(where, 'scale', args.scale);
    size(where, 'chunkLength', args.chunkLength, 1, MAX_SIZE);
    const numHashes = size(where, 'numHashes', args.numHashes, 1, MAX_SIZE);
    this.selfSequences(where, args);
    this.array(where, 'q', args.q, 'float32', batch * heads * length * dHead);
    this.array(where, 'v', args.v, 'float32', batch * heads * length * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batch * length);
    this.array(where, 'order', args.order, 'int32', numHashes * batch * heads * length);
    this.array(where, 'chunks', args.chunks, 'int32', numHashes * batch * heads * length);
    this.array(where, 'out', args.out, 'float32', batch * heads * length * dValue);
    this.array(where, 'references', args.references, 'float32', batch * heads * length);
    this.array(where, 'sums', args.sums, 'float32', batch * heads * length);
    this.array(where, 'dOut', args.dOut, 'float32', batch * heads * length * dValue);
    this.array(where, 'dQ', args.dQ, 'float32', batch * heads * length * dHead);
    this.array(where, 'dV', args.dV, 'float32', batch * heads * length * dValue);
    this.order(where, args);
    if (batch * heads * length * dHead > 0 || batch * heads * length * dValue > 0)
      this.inner.lshAttentionBackward(args);
  }

  favor(args: FavorArguments): void {
    const where = 'favor';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    choice(where, 'map', args.map, featureMapKinds);
    number(where, 'epsilon', args.epsilon);
    const numSequences = size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    number(where, 'weight', args.weight);
    number(where, 'stabiliser', args.stabiliser);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'sums', args.sums, 'float32', numSequences * heads * numFeatures * (dValue + 1));
    this.array(where, 'compensation', args.compensation, 'float32', numSequences * heads * numFeatures * (dValue + 1));
    this.array(where, 'scales', args.scales, 'float32', numSequences * heads * numFeatures);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'denominator', args.denominator, 'float32', batchQ * heads * lengthQ);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.projection(where, args);
    if (numSequences * heads * numFeatures > 0 || batchQ * heads * lengthQ > 0) this.inner.favor(args);
  }

  fill(x: Storage, value: number): void {
    const where = 'fill';
    const count = this.length(where, 'x', x, 'float32');
    number(where, 'value', value);
    if (count > 0) this.inner.fill(x, value);
  }

  add(a: Storage, b: Storage, out: Storage): void {
    const where = 'add';
    const count = this.length(where, 'out', out, 'float32');
    this.array(where, 'a', a, 'float32', count);
    this.array(where, 'b', b, 'float32', count);
    if (count > 0) this.inner.add(a, b, out);
  }

  axpy(alpha: number, x: Storage, y: Storage): void {
    const where = 'axpy';
    number(where, 'alpha', alpha);
    const count = this.length(where, 'y', y, 'float32');
    this.array(where, 'x', x, 'float32', count);
    if (count > 0) this.inner.axpy(alpha, x, y);
  }

  scale(x: Storage, out: Storage, alpha: number): void {
    const where = 'scale';
    const count = this.length(where, 'out', out, 'float32');
    number(where, 'alpha', alpha);
    this.array(where, 'x', x, 'float32', count);
    if (count > 0) this.inner.scale(x, out, alpha);
  }

  scaleRows(args: ScaleRowsArguments): void {
    const where = 'scaleRows';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 0, MAX_SIZE);
    const numFactors = this.length(where, 'factors', args.factors, 'float32');
    this.array(where, 'x', args.x, 'float32', rows * width);
    this.array(where, 'factors', args.factors, 'float32', Math.max(numFactors, Math.min(1, rows)));
    this.array(where, 'out', args.out, 'float32', rows * width);
    if (rows * width > 0) this.inner.scaleRows(args);
  }

  activation(kind: UnaryKind, x: Storage, out: Storage): void {
    const where = 'activation';
    choice(where, 'kind', kind, unaryKinds);
    const count = this.length(where, 'out', out, 'float32');
    this.array(where, 'x', x, 'float32', count);
    if (count > 0) this.inner.activation(kind, x, out);
  }

  activationBackward(kind: UnaryKind, x: Storage, dOut: Storage, dX: Storage): void {
    const where = 'activationBackward';
    choice(where, 'kind', kind, unaryKinds);
    const count = this.length(where, 'dX', dX, 'float32');
    this.array(where, 'x', x, 'float32', count);
    this.array(where, 'dOut', dOut, 'float32', count);
    if (count > 0) this.inner.activationBackward(kind, x, dOut, dX);
  }

  sumAxis(args: SumAxisArguments): void {
    const where = 'sumAxis';
    argumentsOf(where, args);
    const outer = size(where, 'outer', args.outer, 0, MAX_SIZE);
    const length = size(where, 'length', args.length, 0, MAX_SIZE);
    const inner = size(where, 'inner', args.inner, 0, MAX_SIZE);
    flag(where, 'accumulate', args.accumulate === undefined ? false : args.accumulate);
    this.array(where, 'x', args.x, 'float32', outer * length * inner);
    this.array(where, 'out', args.out, 'float32', outer * inner);
    if (outer * inner > 0) this.inner.sumAxis(args);
  }

  stridedCopy(args: StridedCopyArguments): void {
    const where = 'stridedCopy';
    argumentsOf(where, args);
    size(where, 'numAxes', args.numAxes, 1, MAX_AXES);
    size(where, 'count', args.count, 0, MAX_SIZE);
    const { span1, span2 } = this.copyStrides(where, args);
    this.array(where, 'x', args.x, 'float32', span1);
    this.array(where, 'out', args.out, 'float32', span2);
    if (span2 > 0) this.inner.stridedCopy(args);
  }

  binary(args: BinaryArguments): void {
    const where = 'binary';
    argumentsOf(where, args);
    choice(where, 'kind', args.kind, binaryKinds);
    size(where, 'numAxes', args.numAxes, 1, MAX_AXES);
    const count = size(where, 'count', args.count, 0, MAX_SIZE);
    const { span1, span2 } = this.twoStrides(where, args);
    this.array(where, 'a', args.a, 'float32', span1);
    this.array(where, 'b', args.b, 'float32', span2);
    this.array(where, 'out', args.out, 'float32', count);
    if (count > 0) this.inner.binary(args);
  }

  select(args: SelectArguments): void {
    const where = 'select';
    argumentsOf(where, args);
    size(where, 'numAxes', args.numAxes, 1, MAX_AXES);
    const count = size(where, 'count', args.count, 0, MAX_SIZE);
    const { span1, span2, span3 } = this.threeStrides(where, args);
    this.array(where, 'condition', args.condition, 'float32', span1);
    this.array(where, 'a', args.a, 'float32', span2);
    this.array(where, 'b', args.b, 'float32', span3);
    this.array(where, 'out', args.out, 'float32', count);
    if (count > 0) this.inner.select(args);
  }

  softmax(args: SoftmaxArguments): void {
    const where = 'softmax';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 0, MAX_SIZE);
    flag(where, 'isLog', args.isLog === undefined ? false : args.isLog);
    this.array(where, 'x', args.x, 'float32', rows * width);
    this.array(where, 'out', args.out, 'float32', rows * width);
    if (rows * width > 0) this.inner.softmax(args);
  }

  softmaxBackward(args: SoftmaxBackwardArguments): void {
    const where = 'softmaxBackward';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 0, MAX_SIZE);
    flag(where, 'isLog', args.isLog === undefined ? false : args.isLog);
    this.array(where, 'out', args.out, 'float32', rows * width);
    this.array(where, 'dOut', args.dOut, 'float32', rows * width);
    this.array(where, 'dX', args.dX, 'float32', rows * width);
    if (rows * width > 0) this.inner.softmaxBackward(args);
  }

  layerNorm(args: LayerNormArguments): void {
    const where = 'layerNorm';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 0, MAX_SIZE);
    number(where, 'epsilon', args.epsilon);
    this.array(where, 'x', args.x, 'float32', rows * width);
    this.array(where, 'gamma', args.gamma, 'float32', width);
    this.array(where, 'beta', args.beta, 'float32', width);
    this.array(where, 'out', args.out, 'float32', rows * width);
    this.array(where, 'mean', args.mean, 'float32', rows);
    this.array(where, 'inverseDeviation', args.inverseDeviation, 'float32', rows);
    if (rows > 0) this.inner.layerNorm(args);
  }

  embedding(args: EmbeddingArguments): void {
    const where = 'embedding';
    argumentsOf(where, args);
    const count = size(where, 'count', args.count, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 1, MAX_SIZE);
    const tableRows = Math.floor(this.length(where, 'table', args.table, 'float32') / width);
    this.array(where, 'table', args.table, 'float32', tableRows * width);
    this.array(where, 'ids', args.ids, 'int32', count);
    this.indices(where, 'ids', args.ids, count, tableRows, false);
    this.array(where, 'out', args.out, 'float32', count * width);
    if (count * width > 0) this.inner.embedding(args);
  }

  embeddingBackward(args: EmbeddingBackwardArguments): void {
    const where = 'embeddingBackward';
    argumentsOf(where, args);
    const count = size(where, 'count', args.count, 0, MAX_SIZE);
    const width = size(where, 'width', args.width, 1, MAX_SIZE);
    const tableRows = Math.floor(this.length(where, 'dTable', args.dTable, 'float32') / width);
    this.array(where, 'ids', args.ids, 'int32', count);
    this.indices(where, 'ids', args.ids, count, tableRows, false);
    this.array(where, 'dOut', args.dOut, 'float32', count * width);
    this.array(where, 'dTable', args.dTable, 'float32', tableRows * width);
    if (tableRows * width > 0) this.inner.embeddingBackward(args);
  }

  rotary(args: RotaryArguments): void {
    const where = 'rotary';
    argumentsOf(where, args);
    const batch = size(where, 'batch', args.batch, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 0, MAX_SIZE);
    const length = size(where, 'length', args.length, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    size(where, 'offset', args.offset, -MAX_SIZE, MAX_SIZE - length);
    number(where, 'base', args.base);
    flag(where, 'inverse', args.inverse);
    this.array(where, 'x', args.x, 'float32', batch * heads * length * dHead);
    this.array(where, 'out', args.out, 'float32', batch * heads * length * dHead);
    if (batch * heads * length * dHead > 0) this.inner.rotary(args);
  }

  dropout(args: DropoutArguments): void {
    const where = 'dropout';
    argumentsOf(where, args);
    const count = this.length(where, 'out', args.out, 'float32');
    numberBelow(where, 'rate', args.rate, 0, 1);
    size(where, 'seedLow', args.seedLow, 0, 2 ** 32 - 1);
    size(where, 'seedHigh', args.seedHigh, 0, 2 ** 32 - 1);
    size(where, 'stream', args.stream, 0, 2 ** 32 - 1);
    this.array(where, 'x', args.x, 'float32', count);
    if (count > 0) this.inner.dropout(args);
  }

  softmaxCrossEntropy(args: SoftmaxCrossEntropyArguments): void {
    const where = 'softmaxCrossEntropy';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const vocabSize = size(where, 'vocabSize', args.vocabSize, 1, MAX_SIZE);
    number(where, 'gradientScale', args.gradientScale);
    this.array(where, 'logits', args.logits, 'float32', rows * vocabSize);
    this.array(where, 'targets', args.targets, 'int32', rows);
    this.indices(where, 'targets', args.targets, rows, vocabSize, true);
    this.array(where, 'loss', args.loss, 'float32', rows);
    this.optional(where, 'correct', args.correct, 'float32', rows);
    this.optional(where, 'dLogits', args.dLogits, 'float32', rows * vocabSize);
    if (rows > 0) this.inner.softmaxCrossEntropy(args);
  }

  softmaxKlDivergence(args: SoftmaxKlDivergenceArguments): void {
    const where = 'softmaxKlDivergence';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows, 0, MAX_SIZE);
    const vocabSize = size(where, 'vocabSize', args.vocabSize, 1, MAX_SIZE);
    number(where, 'inverseTemperature', args.inverseTemperature);
    number(where, 'gradientScale', args.gradientScale);
    this.array(where, 'logits', args.logits, 'float32', rows * vocabSize);
    this.array(where, 'targets', args.targets, 'float32', rows * vocabSize);
    this.array(where, 'loss', args.loss, 'float32', rows);
    this.optional(where, 'correct', args.correct, 'float32', rows);
    this.optional(where, 'dLogits', args.dLogits, 'float32', rows * vocabSize);
    if (rows > 0) this.inner.softmaxKlDivergence(args);
  }

  softmaxAttention(args: SoftmaxAttentionArguments): void {
    const where = 'softmaxAttention';
    argumentsOf(where, args);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    number(where, 'scale', args.scale);
    flag(where, 'normalise', args.normalise);
    size(where, 'block', args.block === undefined ? 0 : args.block, 0, MAX_BLOCK);
    size(where, 'sinks', args.sinks === undefined ? 0 : args.sinks, 0, MAX_SIZE);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'logSumExp', args.logSumExp, 'float32', batchQ * heads * lengthQ);
    if (batchQ * heads * lengthQ > 0) this.inner.softmaxAttention(args);
  }

  softmaxAttentionBackward(args: SoftmaxAttentionBackwardArguments): void {
    const where = 'softmaxAttentionBackward';
    argumentsOf(where, args);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    number(where, 'scale', args.scale);
    flag(where, 'normalise', args.normalise);
    size(where, 'block', args.block === undefined ? 0 : args.block, 0, MAX_BLOCK);
    size(where, 'sinks', args.sinks === undefined ? 0 : args.sinks, 0, MAX_SIZE);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'logSumExp', args.logSumExp, 'float32', batchQ * heads * lengthQ);
    this.array(where, 'dOut', args.dOut, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'dQ', args.dQ, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'dK', args.dK, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'dV', args.dV, 'float32', batchK * heads * lengthK * dValue);
    if (
      batchQ * heads * lengthQ * dHead > 0 ||
      batchK * heads * lengthK * dHead > 0 ||
      batchK * heads * lengthK * dValue > 0
    )
      this.inner.softmaxAttentionBackward(args);
  }

  lshSort(args: LshSortArguments): void {
    const where = 'lshSort';
    argumentsOf(where, args);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const batch = size(where, 'batch', args.batch, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 0, MAX_SIZE);
    const length = size(where, 'length', args.length, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    const numHashes = size(where, 'numHashes', args.numHashes, 1, MAX_SIZE);
    const numRotations = size(where, 'numRotations', args.numRotations, 1, MAX_SIZE);
    evenSize(where, 'numBuckets', args.numBuckets, 2, 2 * numRotations);
    size(where, 'chunkLength', args.chunkLength, 1, MAX_SIZE);
    this.selfSequences(where, args);
    this.array(where, 'q', args.q, 'float32', batch * heads * length * dHead);
    this.array(where, 'rotations', args.rotations, 'float32', numHashes * numRotations * dHead);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batch * length);
    this.array(where, 'order', args.order, 'int32', numHashes * batch * heads * length);
    this.array(where, 'chunks', args.chunks, 'int32', numHashes * batch * heads * length);
    this.integerWrites++;
    if (numHashes * batch * heads * length > 0) this.inner.lshSort(args);
  }

  favorFeatures(args: FavorFeaturesArguments): void {
    const where = 'favorFeatures';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    choice(where, 'map', args.map, featureMapKinds);
    number(where, 'epsilon', args.epsilon);
    const batch = size(where, 'batch', args.batch, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 0, MAX_SIZE);
    const length = size(where, 'length', args.length, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    this.array(where, 'x', args.x, 'float32', batch * heads * length * dHead);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'out', args.out, 'float32', batch * heads * length * numFeatures);
    this.projection(where, args);
    if (batch * heads * length * numFeatures > 0) this.inner.favorFeatures(args);
  }

  favorBackward(args: FavorBackwardArguments): void {
    const where = 'favorBackward';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    choice(where, 'map', args.map, featureMapKinds);
    number(where, 'epsilon', args.epsilon);
    const numSequences = size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    number(where, 'weight', args.weight);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'sums', args.sums, 'float32', numSequences * heads * numFeatures * (dValue + 1));
    this.array(where, 'compensation', args.compensation, 'float32', numSequences * heads * numFeatures * (dValue + 1));
    this.array(where, 'scales', args.scales, 'float32', numSequences * heads * numFeatures);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'denominator', args.denominator, 'float32', batchQ * heads * lengthQ);
    this.array(where, 'dOut', args.dOut, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'dQ', args.dQ, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'dK', args.dK, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'dV', args.dV, 'float32', batchK * heads * lengthK * dValue);
    this.projection(where, args);
    if (
      batchQ * heads * lengthQ * dHead > 0 ||
      batchK * heads * lengthK * dHead > 0 ||
      batchK * heads * lengthK * dValue > 0
    )
      this.inner.favorBackward(args);
  }

  favorCausal(args: FavorCausalArguments): void {
    const where = 'favorCausal';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    choice(where, 'map', args.map, featureMapKinds);
    number(where, 'epsilon', args.epsilon);
    const numSequences = size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'updateState', args.updateState === undefined ? false : args.updateState);
    number(where, 'weight', args.weight);
    number(where, 'stabiliser', args.stabiliser);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.optional(where, 'sums', args.sums, 'float32', numSequences * heads * numFeatures * (dValue + 1));
    this.optional(
      where,
      'compensation',
      args.compensation,
      'float32',
      numSequences * heads * numFeatures * (dValue + 1),
    );
    together(where, 'compensation', args.compensation, 'sums', args.sums);
    this.optional(where, 'scales', args.scales, 'float32', numSequences * heads * numFeatures);
    together(where, 'scales', args.scales, 'sums', args.sums);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'denominator', args.denominator, 'float32', batchQ * heads * lengthQ);
    this.optional(
      where,
      'snapshots',
      args.snapshots,
      'float32',
      numSequences * heads * Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS) * numFeatures * (dValue + 2),
    );
    this.projection(where, args);
    if (numSequences * heads * numFeatures > 0 || batchQ * heads * lengthQ > 0) this.inner.favorCausal(args);
  }

  favorCausalBackward(args: FavorCausalBackwardArguments): void {
    const where = 'favorCausalBackward';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    choice(where, 'map', args.map, featureMapKinds);
    number(where, 'epsilon', args.epsilon);
    const numSequences = size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    number(where, 'weight', args.weight);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'denominator', args.denominator, 'float32', batchQ * heads * lengthQ);
    this.array(
      where,
      'snapshots',
      args.snapshots,
      'float32',
      numSequences * heads * Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS) * numFeatures * (dValue + 2),
    );
    this.array(where, 'dOut', args.dOut, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'dQ', args.dQ, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'dK', args.dK, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'dV', args.dV, 'float32', batchK * heads * lengthK * dValue);
    this.projection(where, args);
    if (
      batchQ * heads * lengthQ * dHead > 0 ||
      batchK * heads * lengthK * dHead > 0 ||
      batchK * heads * lengthK * dValue > 0
    )
      this.inner.favorCausalBackward(args);
  }

  farField(args: FarFieldArguments): void {
    const where = 'farField';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    const numSequences = size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    const block = size(where, 'block', args.block, 1, MAX_BLOCK);
    size(where, 'sinks', args.sinks === undefined ? 0 : args.sinks, 0, MAX_SIZE);
    flag(where, 'reverse', args.reverse === undefined ? false : args.reverse);
    number(where, 'weight', args.weight);
    flag(where, 'updateState', args.updateState === undefined ? false : args.updateState);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.optional(where, 'gain', args.gain, 'float32', heads);
    this.optional(where, 'sums', args.sums, 'float32', numSequences * heads * numFeatures * (dValue + 1));
    this.optional(
      where,
      'compensation',
      args.compensation,
      'float32',
      numSequences * heads * numFeatures * (dValue + 1),
    );
    together(where, 'compensation', args.compensation, 'sums', args.sums);
    this.optional(where, 'scales', args.scales, 'float32', numSequences * heads * numFeatures);
    together(where, 'scales', args.scales, 'sums', args.sums);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'logSumExp', args.logSumExp, 'float32', batchQ * heads * lengthQ);
    this.array(where, 'shares', args.shares, 'float32', batchQ * heads * lengthQ);
    this.optional(where, 'kept', args.kept, 'float32', batchQ * heads * lengthQ);
    this.optional(
      where,
      'snapshots',
      args.snapshots,
      'float32',
      numSequences *
        heads *
        (Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4) *
        numFeatures *
        (dValue + 2),
    );
    this.projection(where, args);
    if (numSequences * heads * numFeatures > 0 || batchQ * heads * lengthQ > 0) this.inner.farField(args);
  }

  farFieldBackward(args: FarFieldBackwardArguments): void {
    const where = 'farFieldBackward';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    const numSequences = size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    const block = size(where, 'block', args.block, 1, MAX_BLOCK);
    size(where, 'sinks', args.sinks === undefined ? 0 : args.sinks, 0, MAX_SIZE);
    flag(where, 'reverse', args.reverse === undefined ? false : args.reverse);
    number(where, 'weight', args.weight);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'v', args.v, 'float32', batchK * heads * lengthK * dValue);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.optional(where, 'gain', args.gain, 'float32', heads);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'shares', args.shares, 'float32', batchQ * heads * lengthQ);
    this.array(
      where,
      'snapshots',
      args.snapshots,
      'float32',
      numSequences *
        heads *
        (Math.floor((lengthQ + lengthK) / (block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block)))) + 4) *
        numFeatures *
        (dValue + 2),
    );
    this.array(where, 'dOut', args.dOut, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'dQ', args.dQ, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'dK', args.dK, 'float32', batchK * heads * lengthK * dHead);
    this.array(where, 'dV', args.dV, 'float32', batchK * heads * lengthK * dValue);
    this.array(where, 'dGain', args.dGain, 'float32', numSequences * heads);
    this.projection(where, args);
    if (
      batchQ * heads * lengthQ * dHead > 0 ||
      batchK * heads * lengthK * dHead > 0 ||
      batchK * heads * lengthK * dValue > 0 ||
      numSequences * heads > 0
    )
      this.inner.farFieldBackward(args);
  }

  nearMass(args: NearMassArguments): void {
    const where = 'nearMass';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    size(where, 'block', args.block, 1, MAX_BLOCK);
    size(where, 'sinks', args.sinks === undefined ? 0 : args.sinks, 0, MAX_SIZE);
    number(where, 'weight', args.weight);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'logMass', args.logMass, 'float32', batchQ * heads * lengthQ);
    this.projection(where, args);
    if (batchQ * heads * lengthQ > 0) this.inner.nearMass(args);
  }

  nearMassBackward(args: NearMassBackwardArguments): void {
    const where = 'nearMassBackward';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    size(where, 'numSequences', args.numSequences, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 1, MAX_SIZE);
    const lengthQ = size(where, 'lengthQ', args.lengthQ, 0, MAX_SIZE);
    const lengthK = size(where, 'lengthK', args.lengthK, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    choice(where, 'layout', args.layout, attentionLayouts);
    flag(where, 'causal', args.causal);
    size(where, 'block', args.block, 1, MAX_BLOCK);
    size(where, 'sinks', args.sinks === undefined ? 0 : args.sinks, 0, MAX_SIZE);
    number(where, 'weight', args.weight);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    const { batchQ, batchK } = this.sequences(where, args);
    this.array(where, 'q', args.q, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'k', args.k, 'float32', batchK * heads * lengthK * dHead);
    this.optional(where, 'keyMask', args.keyMask, 'float32', batchK * lengthK);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'nearOut', args.nearOut, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'out', args.out, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'kept', args.kept, 'float32', batchQ * heads * lengthQ);
    this.array(where, 'dOut', args.dOut, 'float32', batchQ * heads * lengthQ * dValue);
    this.array(where, 'dQ', args.dQ, 'float32', batchQ * heads * lengthQ * dHead);
    this.array(where, 'dK', args.dK, 'float32', batchK * heads * lengthK * dHead);
    this.projection(where, args);
    if (batchQ * heads * lengthQ * dHead > 0 || batchK * heads * lengthK * dHead > 0) this.inner.nearMassBackward(args);
  }

  favorStep(args: FavorStepArguments): void {
    const where = 'favorStep';
    argumentsOf(where, args);
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1, MAX_SIZE);
    const form = choice(where, 'form', args.form, projectionForms);
    const factors = size(where, 'factors', args.factors, 0, MAX_SIZE);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    choice(where, 'map', args.map, featureMapKinds);
    number(where, 'epsilon', args.epsilon);
    const batch = size(where, 'batch', args.batch, 0, MAX_SIZE);
    const heads = size(where, 'heads', args.heads, 0, MAX_SIZE);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_HEAD_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_HEAD_WIDTH);
    number(where, 'weight', args.weight);
    number(where, 'stabiliser', args.stabiliser);
    const projectionSize = projectionLength({ numFeatures, form, factors, directions }, dHead);
    this.array(where, 'q', args.q, 'float32', batch * heads * dHead);
    this.array(where, 'k', args.k, 'float32', batch * heads * dHead);
    this.array(where, 'v', args.v, 'float32', batch * heads * dValue);
    this.array(where, 'projection', args.projection, 'float32', projectionSize);
    this.optional(where, 'bias', args.bias, 'float32', numFeatures);
    this.array(where, 'sums', args.sums, 'float32', batch * heads * numFeatures * (dValue + 1));
    this.array(where, 'compensation', args.compensation, 'float32', batch * heads * numFeatures * (dValue + 1));
    this.array(where, 'scales', args.scales, 'float32', batch * heads * numFeatures);
    this.array(where, 'out', args.out, 'float32', batch * heads * dValue);
    this.projection(where, args);
    if (batch * heads * numFeatures > 0 || batch * heads * dValue > 0) this.inner.favorStep(args);
  }

  peak(args: PeakArguments): void {
    const where = 'peak';
    argumentsOf(where, args);
    size(where, 'iterations', args.iterations, 0, MAX_ITERATIONS);
    const units = this.length(where, 'out', args.out, 'float32');
    if (units > 0) this.inner.peak(args);
  }
}
