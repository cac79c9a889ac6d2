import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** What a TensorFlow.js `model.json` says about where its weights are. */
const manifestFile = z.looseObject({
  weightsManifest: z
    .array(
      z.looseObject({
        paths: z.array(z.string()),
        weights: z.array(
          z.strictObject({
            name: z.string(),
            shape: z.array(z.int().min(0)),
            dtype: z.enum(['float32', 'int32']),
          }),
        ),
      }),
    )
    .min(1),
});

export interface NamedWeight {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/**
 * The weights of a TensorFlow.js model by name: each group's files end to end, numbers little-endian as they are.
 *
 * @param folder of model.json
 * @throws one sentence when model.json has another form, such as quantised weights, or its files another size
 */
export async function readTensorFlowWeights(folder: string): Promise<Map<string, NamedWeight>> {
  const path = join(folder, 'model.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be read (${error.code}): give the folder of a TensorFlow.js model.`);
  });
  const parsed = manifestFile.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new Error(
      `${path} lists no plain float32 or int32 weights: give a TensorFlow.js model that is not quantised.`,
    );
  }
  const found = new Map<string, NamedWeight>();
  for (const { paths, weights } of parsed.data.weightsManifest) {
    const files = await Promise.all(paths.map((name) => readFile(join(folder, basename(name)))));
    const bytes = new Uint8Array(Buffer.concat(files));
    let offset = 0;
    for (const { name, shape, dtype } of weights) {
      const length = shape.reduce((product, size) => product * size, 1);
      if (offset + 4 * length > bytes.length) break;
      const Numbers = dtype === 'float32' ? Float32Array : Int32Array;
      found.set(name, { shape, data: new Numbers(bytes.buffer, offset, length) });
      offset += 4 * length;
    }
    if (found.size < weights.length || offset !== bytes.length) {
      throw new Error(
        `${folder} holds ${bytes.length} bytes of weights, which model.json does not fit: install it again.`,
      );
    }
  }
  return found;
}
