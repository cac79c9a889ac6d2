/**
 * The oracle: every kernel in float64 with plain loops, quadratic where the kernels are linear. Slow and obvious; the
 * conformance suite holds the compiled backends against it.
 */

import { CheckedBackend } from '../checked.ts';
import type { UncheckedBackend } from '../checks/arrays.ts';
import type { PlainNumbers } from '../numbers.ts';
import type { Backend, Storage } from '../types.ts';
import { softmaxCrossEntropy } from './cross-entropy.ts';
import {
  activation,
  activationBackward,
  adamW,
  add,
  axpy,
  dropout,
  fill,
  peak,
  scale,
  scaleRows,
  squaredNorm,
  sumAxis,
} from './elementwise.ts';
import { embedding, embeddingBackward } from './embedding.ts';
import { favorBackward, favorCausalBackward } from './favor/backward.ts';
import { farField, farFieldBackward } from './favor/far-field.ts';
import { favor, favorCausal, favorStep } from './favor/favor.ts';
import { favorFeatures } from './favor/features.ts';
import { nearMass, nearMassBackward } from './favor/near-mass.ts';
import { gemm } from './gemm.ts';
import { softmaxKlDivergence } from './kl-divergence.ts';
import { layerNorm, layerNormBackward } from './layer-norm.ts';
import { lshAttention, lshAttentionBackward, lshSort } from './lsh-attention.ts';
import { rotary } from './rotary.ts';
import { softmax, softmaxBackward } from './softmax.ts';
import { softmaxAttention, softmaxAttentionBackward } from './softmax-attention.ts';
import { ReferenceMemory } from './storage.ts';
import { binary, select, stridedCopy } from './strided.ts';

/**
 * A backend that computes in float64 on one thread. Reading any of its storages gives a Float64Array.
 *
 * @param watch wraps what is behind the door
 */
export function createReferenceBackend(watch = (inner: UncheckedBackend) => inner): Backend {
  const memory = new ReferenceMemory();
  const backend: UncheckedBackend = {
    name: 'reference',
    description: 'reference float64, 1 thread',
    numThreads: 1,
    get bytesAllocated() {
      return memory.bytesAllocated;
    },
    allocate: (length, type) => memory.allocate(length, type),
    upload: (data: PlainNumbers) => memory.upload(data),
    write: (storage: Storage, data: PlainNumbers, offset?: number) => memory.write(storage, data, offset),
    read: async (storage) => memory.read(storage),
    slice: (storage, offset, length) => memory.slice(storage, offset, length),
    release: (storage) => memory.release(storage),
    own: (storage) => memory.own(storage),
    owns: (storage): storage is Storage => memory.owns(storage),
    peek: (storage, count) => memory.peek(storage, count),
    trim: () => memory.checkOpen(),
    close: () => memory.close(),
    copy: (source, target) => memory.copy(source, target),
    gemm,
    fill,
    add,
    axpy,
    scale,
    scaleRows,
    activation,
    activationBackward,
    sumAxis,
    stridedCopy,
    binary,
    select,
    softmax,
    softmaxBackward,
    squaredNorm,
    layerNorm,
    layerNormBackward,
    embedding,
    embeddingBackward,
    rotary,
    dropout,
    softmaxCrossEntropy,
    softmaxKlDivergence,
    adamW,
    softmaxAttention,
    softmaxAttentionBackward,
    lshSort,
    lshAttention,
    lshAttentionBackward,
    favorFeatures,
    favor,
    favorBackward,
    favorCausal,
    favorCausalBackward,
    favorStep,
    farField,
    farFieldBackward,
    nearMass,
    nearMassBackward,
    peak,
  };
  return new CheckedBackend(watch(backend));
}
