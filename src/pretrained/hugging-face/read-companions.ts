import { type Companions, companion } from '../../storage/companions.ts';
import { type PretrainedFiles, readJson } from '../../storage/files.ts';
import { kindOfModule, readModules } from './sentence-pooling.ts';

const KEPT =
  /^(?:config|generation_config|tokenizer_config|special_tokens_map|config_sentence_transformers|sentence_bert_config)\.json$/;
/** Files that are read and have no more to say. */
const READ =
  /^(?:modules|tokenizer|vocab|added_tokens|preprocessor_config|model\.safetensors\.index)\.json$|^(?:vocab|merges)\.txt$/;
/** Files that say something about a model, other than its weights. */
const TELLING = /\.(?:json|txt|model|jinja|py|spm)$/;

/** The companions of a model, and the names of files that say something and are neither read nor kept. */
export async function readCompanions(files: PretrainedFiles): Promise<{ companions: Companions; unused: string[] }> {
  const modules = (await readModules(files)).filter(({ type }) => kindOfModule(type) !== undefined);
  const paths = new Set([...modules.map(({ path }) => `${path}/config.json`), '1_Pooling/config.json']);
  const kept = files.names.filter((name) => KEPT.test(name) || paths.has(name));
  const companions: Record<string, unknown> = {};
  for (const name of kept) companions[name] = await readJson(files, name);
  if (modules.length > 0) companions['modules.json'] = modules;
  const unused = files.names.filter((name) => TELLING.test(name) && !READ.test(name) && !kept.includes(name));
  return { companions, unused };
}

/** The companions of a model of sentences that is made longer: texts are cut at the new length. */
export function withSentenceLength(companions: Companions, maxLength: number): Companions {
  const name = 'sentence_bert_config.json';
  if (!(name in companions)) return companions;
  return { ...companions, [name]: { ...companion(companions, name), max_seq_length: maxLength } };
}
