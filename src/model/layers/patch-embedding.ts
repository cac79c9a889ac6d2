import type { Backend } from '../../backend/types.ts';
import { ShapeError } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import type { Random } from '../../base/random.ts';
import { add } from '../../tensor/ops/elementwise.ts';
import { broadcastTo, concatenate, slice } from '../../tensor/ops/layout.ts';
import { Tensor } from '../../tensor/tensor.ts';
import { gather, normalParameter } from './layer.ts';
import { Linear } from './linear.ts';
import { type EmbeddingOptions, type InputEmbedding, leaveOut } from './token-embedding.ts';

/** Square images cut into square patches. */
export interface PatchSizes {
  /** Pixels of a side. */
  readonly imageSize: number;
  /** Pixels of a patch's side; divides imageSize. */
  readonly patchSize: number;
  readonly channels: number;
}

/** Patches of one image. */
export function numPatches({ imageSize, patchSize }: PatchSizes): number {
  return (imageSize / patchSize) ** 2;
}

/** Vectors of an image's patches after that of a class token, with learned positions (Dosovitskiy et al. 2021, 3.1). */
export class PatchEmbedding implements InputEmbedding {
  readonly isPositional = true;
  readonly #patches: Linear;
  readonly #classToken: Tensor;
  readonly #positions: Tensor;

  constructor(
    readonly backend: Backend,
    readonly sizes: PatchSizes,
    dModel: number,
    deviation: number,
    random: Random | undefined,
  ) {
    const { patchSize, channels } = sizes;
    this.#patches = new Linear(backend, patchSize ** 2 * channels, dModel, { random, deviation });
    this.#classToken = normalParameter(backend, [1, dModel], deviation, random);
    this.#positions = normalParameter(backend, [1 + numPatches(sizes), dModel], deviation, random);
  }

  /**
   * @param patches `[batch, numPatches, channels·patchSize²]`, as {@link imagePatches} cuts them
   * @param options their masks count the class token, the first position
   * @returns `[batch, 1 + numPatches, dModel]`: zeros at positions left out
   * @throws ShapeError when the patches are not those of images of the configured size
   */
  forward(patches: Tensor, { keyMask, segments }: EmbeddingOptions = {}): Tensor {
    const [batch, length, width] = patches.shape as [number, number, number];
    const { patchSize, channels } = this.sizes;
    const wanted = [numPatches(this.sizes), patchSize ** 2 * channels];
    if (patches.shape.length !== 3 || length !== wanted[0] || width !== wanted[1]) {
      throw new ShapeError(
        `This model takes patches [batch, ${wanted}] but got [${patches.shape}]; cut images with imagePatches.`,
      );
    }
    const classTokens = broadcastTo(this.#classToken, [batch, 1, this.#classToken.size]);
    const ofPatches = {
      keyMask: keyMask instanceof Tensor ? slice(keyMask, 1, 1) : keyMask?.map((row) => Array.from(row).slice(1)),
      segments: segments?.map((row) => Array.from(row).slice(1)),
    };
    const vectors = this.#patches.forward(leaveOut(patches, ofPatches));
    return leaveOut(add(concatenate([classTokens, vectors], 1), this.#positions), { keyMask, segments });
  }

  parameters(): Map<string, Tensor> {
    return new Map([
      ...gather({ patches: this.#patches }),
      ['classToken.weight', this.#classToken],
      ['positions.weight', this.#positions],
    ]);
  }
}

/**
 * Cuts images into patches, row by row.
 *
 * @param pixels `[batch, channels, imageSize, imageSize]`
 * @returns `[batch, numPatches, channels·patchSize²]`
 * @throws ShapeError when the numbers are not those of whole images
 */
export function imagePatches(pixels: Float32Array, sizes: PatchSizes): Float32Array {
  checkArguments('imagePatches', { pixels, sizes }, { pixels: option.view('Float32Array'), sizes: sizesKind });
  const { imageSize, patchSize, channels } = sizes;
  if (imageSize % patchSize !== 0) {
    throw new ShapeError(
      `imagePatches: patches of ${patchSize} do not tile images of ${imageSize}; choose a divisor, such as 4 of 32.`,
    );
  }
  const imageLength = channels * imageSize ** 2;
  if (pixels.length % imageLength !== 0) {
    throw new ShapeError(
      `${pixels.length} numbers are not whole images of ${imageLength}: give [batch, channels, height, width].`,
    );
  }
  const side = imageSize / patchSize;
  const out = new Float32Array(pixels.length);
  let to = 0;
  for (let image = 0; image < pixels.length; image += imageLength) {
    for (let patch = 0; patch < side ** 2; patch++) {
      const corner = Math.floor(patch / side) * patchSize * imageSize + (patch % side) * patchSize;
      for (let channel = 0; channel < channels; channel++) {
        for (let y = 0; y < patchSize; y++) {
          const from = image + channel * imageSize ** 2 + corner + y * imageSize;
          out.set(pixels.subarray(from, from + patchSize), to);
          to += patchSize;
        }
      }
    }
  }
  return out;
}

const sizesKind = option.having('the sizes of images', {
  imageSize: option.count,
  patchSize: option.count,
  channels: option.count,
});
