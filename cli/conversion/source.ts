import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchFromHub, isHubName } from '../../src/entries/data.ts';
import { checkTokenizer, companionsFile, loadTransformer, parseJson, readNewest } from '../../src/entries/internal.ts';
import { type Backend, ConfigurationError, type Stoppable, type Transformer } from '../../src/entries/performers.ts';
import { createPretrained, directoryFiles, readHuggingFace } from '../../src/entries/pretrained.ts';
import { loadAnyTokenizer, type Tokenizer } from '../../src/entries/tokenizers.ts';
import { readTokenizerFile } from '../training/tokenizer-file.ts';

/** A model to convert. */
export interface Source {
  readonly model: Transformer;
  readonly tokenizer: Tokenizer | undefined;
  /** Text of tokenizer.json, if there is one. */
  readonly tokenizerJson: string | undefined;
  /** Tensors that the model has no place for. */
  readonly unused: readonly string[];
  /** Files that go with the model as they are. */
  readonly others: ReadonlyMap<string, Uint8Array>;
  /** One line for people. */
  readonly description: string;
}

/** Files beside a pretrained model that say how its inputs are made. */
const companions = ['preprocessor_config.json', companionsFile];
/** What of a hub's repository a conversion reads. */
const wanted = /^(?:[^/]+\.(?:json|safetensors|txt)|[^/]+_Pooling\/config\.json)$/;
const pickles = /^[^/]+\.bin$/;

/**
 * Opens what `--from` names: a directory in Hugging Face's layout, the hub's name of one, or a model of this program.
 *
 * @param maxLength learned positions are interpolated to it
 * @throws ConfigurationError when there is no model, or none that can be converted
 */
export async function openSource(
  backend: Backend,
  from: string,
  maxLength: number | undefined,
  options: Stoppable = {},
): Promise<Source> {
  const folder = isHubName(from) ? (await fetchFromHub(from, { choose: filesOf, ...options })).folder : from;
  if (!(await stat(folder).catch(() => undefined))) {
    throw new ConfigurationError(`There is no ${from}: name a directory that holds a model, or hf://ORG/NAME.`);
  }
  if (!(await isHuggingFace(folder))) return openOwn(backend, folder, maxLength, options);
  const pretrained = await readHuggingFace(await directoryFiles(folder), { maxLength, ...options });
  const { tokenizer: json, family, unused, configuration } = pretrained;
  const { numLayers, numHeads, dModel } = configuration;
  const tokenizer = json && (await loadAnyTokenizer(json, pretrained.tokenizerFrom));
  if (tokenizer) checkTokenizer(tokenizer, configuration, pretrained.tokenizerFrom!);
  const companions = new TextEncoder().encode(`${JSON.stringify(pretrained.companions, null, 2)}\n`);
  return {
    model: createPretrained(backend, pretrained),
    tokenizer,
    tokenizerJson: json && `${JSON.stringify(json)}\n`,
    unused,
    others: new Map([...(await readCompanions(folder)), [companionsFile, companions]]),
    description: `${family}, ${numLayers} layers of ${dModel}, ${numHeads} heads`,
  };
}

async function openOwn(
  backend: Backend,
  folder: string,
  maxLength: number | undefined,
  options: Stoppable,
): Promise<Source> {
  if (maxLength !== undefined) {
    throw new ConfigurationError(
      '--max-length interpolates the positions of pretrained models: leave it out for one of this program.',
    );
  }
  const { model, directory, file, others } = await readNewest(folder, async (newest) => {
    const others = await readCompanions(newest);
    return { others, file: await readTokenizerFile(newest), ...(await loadTransformer(backend, newest, options)) };
  });
  if (file) checkTokenizer(file.tokenizer, model.configuration, join(directory, 'tokenizer.json'));
  const { numLayers, numHeads, dModel, attention } = model.configuration;
  return {
    model,
    tokenizer: file?.tokenizer,
    tokenizerJson: file?.text,
    unused: [],
    others,
    description: `a model of this program with ${attention.type} attention, ${numLayers} layers of ${dModel}, ${numHeads} heads`,
  };
}

/** The weights are taken as safetensors where there are such; a lone pickle is fetched by name only, to be refused by it. */
function filesOf(paths: readonly string[]): readonly string[] {
  const chosen = paths.filter((path) => wanted.test(path));
  if (chosen.some((path) => path.endsWith('.safetensors'))) return chosen;
  const [pickle] = paths.filter((path) => pickles.test(path));
  if (pickle === undefined) return chosen;
  throw new ConfigurationError(
    `The repository holds ${pickle}, a pickle, and no safetensors: load it in Python and call save_pretrained with safe_serialization=True.`,
  );
}

async function isHuggingFace(folder: string): Promise<boolean> {
  const path = join(folder, 'config.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) {
    // What these say is refused by what it is.
    const names = await readdir(folder).catch(() => []);
    return names.some((name) => name === 'modules.json' || name === 'adapter_config.json');
  }
  const config = parseJson(text, path);
  return typeof config === 'object' && config !== null && 'model_type' in config;
}

async function readCompanions(folder: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const name of companions) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes) found.set(name, bytes);
  }
  return found;
}
