import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';
import { type PretrainedFiles, pathOf, readJson } from '../../storage/files.ts';
import {
  checkedHeader,
  type Damaged,
  decodeTensor,
  ELEMENT_BYTES,
  type HeaderEntry,
  headerLength,
  type TensorEntry,
} from '../../storage/safetensors.ts';

/** The tensors of one file or of several shards, read one at a time. */
export interface StoredTensors {
  readonly names: readonly string[];
  /** The path of the file that holds a tensor. */
  whereOf(name: string): string;
  shapeOf(name: string): readonly number[];
  read(name: string): Promise<TensorEntry>;
}

const WHOLE = 'model.safetensors';
const ADAPTER = 'adapter_config.json';
const INDEX = 'model.safetensors.index.json';
/** A name without a folder, so that no index leads out of its directory. */
const SHARD = /^[^\\/\0:]+\.safetensors$/;
/** How a pointer of Git LFS begins. */
const LFS = 'version ';
/** Plain names only, as they go into a command. */
const PICKLED = /^[\w.-]+\.(bin|pt|pth|ckpt|pkl)$/;

const indexSchema = z.lazy(() => z.object({ weight_map: z.record(z.string(), z.string()) }));

/**
 * Opens model.safetensors, or the shards that model.safetensors.index.json names, and checks their headers.
 *
 * @throws DataError when no file holds weights, or a shard is elsewhere or missing
 * @throws DataError when a header is damaged, or the index and the shards disagree
 *   the shards disagree
 */
export async function openTensors(files: PretrainedFiles): Promise<StoredTensors> {
  if (files.names.includes(ADAPTER) && !files.names.includes(WHOLE) && !files.names.includes(INDEX)) {
    throw new DataError(
      `${files.where} holds an adapter of PEFT such as LoRA, not a whole model: merge it in Python with merge_and_unload and save_pretrained.`,
    );
  }
  if (files.names.includes(WHOLE)) return gather(files, await openShards(files, [WHOLE]));
  if (!files.names.includes(INDEX)) throw noWeights(files);
  const where = pathOf(files, INDEX);
  const index = safeParse(indexSchema, await readJson(files, INDEX));
  if (!index.success)
    throw new DataError(`${where} holds no weight_map from tensors to files: restore it from a copy.`);
  const map = new Map(Object.entries(index.data.weight_map));
  for (const shard of map.values()) {
    if (!SHARD.test(shard)) {
      throw new DataError(
        `${where} names the file ${JSON.stringify(shard)}, but a shard is a .safetensors file beside its index: take a copy whose index does.`,
      );
    }
    if (!files.names.includes(shard)) throw new DataError(`${where} names ${shard}, which is missing: fetch it too.`);
  }
  const tensors = gather(files, await openShards(files, [...new Set(map.values())]));
  for (const [name, shard] of map) {
    if (!tensors.names.includes(name) || tensors.whereOf(name) !== pathOf(files, shard)) {
      throw new DataError(
        `${pathOf(files, shard)} lacks the tensor ${name}, which ${INDEX} says it holds: fetch both again.`,
      );
    }
  }
  return tensors;
}

interface Shard {
  readonly name: string;
  readonly entries: readonly HeaderEntry[];
  /** Where the data begin. */
  readonly start: number;
}

function openShards(files: PretrainedFiles, names: readonly string[]): Promise<Shard[]> {
  return Promise.all(
    names.map(async (name) => {
      const damaged: Damaged = (why) =>
        new DataError(`${pathOf(files, name)} is damaged (${why}): restore it from a copy.`);
      const size = await files.size(name);
      const first = await files.read(name, 0, Math.min(8, size));
      if (new TextDecoder().decode(first) === LFS) {
        throw new DataError(
          `${pathOf(files, name)} is a pointer of Git LFS instead of the file itself: fetch that with git lfs pull.`,
        );
      }
      const start = 8 + headerLength(first, size, damaged);
      const { entries } = checkedHeader(await files.read(name, 8, start), size - start, damaged);
      return { name, entries, start };
    }),
  );
}

function gather(files: PretrainedFiles, shards: readonly Shard[]): StoredTensors {
  const places = new Map<string, { readonly shard: Shard; readonly entry: HeaderEntry }>();
  for (const shard of shards) {
    for (const entry of shard.entries) {
      const other = places.get(entry.name);
      if (other) {
        throw new DataError(
          `${pathOf(files, shard.name)} holds the tensor ${entry.name}, which ${other.shard.name} holds too: fetch both again.`,
        );
      }
      places.set(entry.name, { shard, entry });
    }
  }
  const placeOf = (name: string) => {
    const place = places.get(name);
    if (!place) throw new DataError(`${files.where} lacks the tensor ${name}: use the config.json that belongs to it.`);
    return place;
  };
  return {
    names: [...places.keys()],
    whereOf: (name) => pathOf(files, placeOf(name).shard.name),
    shapeOf: (name) => placeOf(name).entry.shape,
    async read(name) {
      const { shard, entry } = placeOf(name);
      if (!Object.hasOwn(ELEMENT_BYTES, entry.dtype)) {
        throw new DataError(
          `${pathOf(files, shard.name)} holds ${name} of type ${entry.dtype} where a float is needed: take weights that are not quantized.`,
        );
      }
      const bytes = await files.read(shard.name, shard.start + entry.begin, shard.start + entry.end);
      if (bytes.length !== entry.end - entry.begin) {
        throw new DataError(`${pathOf(files, shard.name)} became shorter while it was read: start again.`);
      }
      return decodeTensor(entry, bytes);
    },
  };
}

function noWeights(files: PretrainedFiles): Error {
  const pickles = files.names.filter((name) => PICKLED.test(name) && name !== 'training_args.bin');
  const [pickled] = pickles;
  if (pickled === undefined) {
    return new DataError(`${files.where} holds neither ${WHOLE} nor ${INDEX}: name a directory of a model that does.`);
  }
  const list = pickles.map((name) => `'${name}'`).join(', ');
  const convert =
    `import torch, safetensors.torch as s; ` +
    `s.save_file({k: v.clone().contiguous() for f in [${list}] ` +
    `for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}, '${WHOLE}')`;
  return new DataError(
    `${files.where} holds its weights only as ${pickles.join(', ')}, a pickle, which runs code when it is read: convert it there with python -c "${convert}".`,
  );
}
