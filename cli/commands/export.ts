import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type Companions,
  checkEmpty,
  checkTokenizer,
  classLabels,
  companionsFile,
  keptConfig,
  loadTransformer,
  onnxChoices,
  parseCompanions,
  parseJson,
  readNewest,
  saveFiles,
  tokenizerFiles,
  unchangedCompanions,
} from '../../src/entries/internal.ts';
import {
  exportOnnx,
  type OnnxGraphKind,
  onnxCompanions,
  onnxGraphKinds,
  type SequenceOutput,
  sequenceOutputs,
} from '../../src/entries/onnx.ts';
import { ConfigurationError, createBackend, type Transformer } from '../../src/entries/performers.ts';
import { exportHuggingFace } from '../../src/entries/pretrained.ts';
import { loadAnyTokenizer, type Tokenizer } from '../../src/entries/tokenizers.ts';
import { type Mode, type PlannedFlags, planned } from '../command.ts';
import { interruptSignal } from '../interrupt.ts';
import { formatCount, formatTable, printJson, say } from '../output.ts';
import { readModelConfiguration } from '../training/initial-model.ts';

interface ExportFlags extends PlannedFlags {
  from: string;
  to: 'onnx' | 'huggingface';
  out: string;
  graphs?: OnnxGraphKind[];
  outputs?: SequenceOutput[];
  autoAs?: 'favor' | 'exact';
}

const modes: readonly Mode<ExportFlags>[] = [
  {
    name: '--to huggingface',
    when: ({ to }) => to === 'huggingface',
    takes: ['from', 'to', 'out'],
    advice: 'leave them out, or export --to onnx',
  },
];

export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write a model in another format: ONNX graphs that run anywhere, or the layout of Hugging Face.')
    .requiredOption('--from <dir>', 'a run (its newest checkpoint is taken), one checkpoint or a converted model')
    .addOption(new Option('--to <format>', 'the format').choices(['onnx', 'huggingface']).makeOptionMandatory())
    .requiredOption('--out <dir>', 'new directory')
    .option(
      '--graphs <names>',
      `onnx: which of ${onnxGraphKinds.join(',')}: whole sequences, or next tokens after a state (default: all that the model has)`,
      names(onnxGraphKinds),
    )
    .option(
      '--outputs <names>',
      `onnx: which of ${sequenceOutputs.join(',')} (default: all that the model has but token_logits)`,
      names(sequenceOutputs),
    )
    .addOption(
      new Option('--auto-as <type>', 'onnx: what attention auto becomes (default: favor)').choices(['favor', 'exact']),
    );
  return planned<ExportFlags>(command, { modes }, async (flags) => {
    await checkEmpty(flags.out);
    return { resolve: () => resolved(flags), perform: () => exportModel(flags) };
  });
}

async function resolved({ from, to, out, ...flags }: ExportFlags): Promise<object> {
  const { directory, configuration } = await readModelConfiguration(from);
  if (to === 'huggingface') return { from: directory, to, out };
  const { graphs, outputs, auto } = onnxChoices(configuration, {
    graphs: flags.graphs,
    outputs: flags.outputs,
    auto: flags.autoAs,
  });
  const autoAs = configuration.attention.type === 'auto' ? auto : null;
  return { from: directory, to, out, graphs, outputs, autoAs };
}

/** Parses names with commas between. */
function names<Name extends string>(known: readonly Name[]): (text: string) => Name[] {
  return (text) =>
    text.split(',').map((part) => {
      const found = known.find((name) => name === part.trim());
      if (found === undefined) throw new InvalidArgumentError(`Give some of ${known.join(',')}.`);
      return found;
    });
}

async function exportModel(flags: ExportFlags): Promise<void> {
  const signal = interruptSignal('Stopping');
  const { to, out } = flags;
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const source = await readNewest(flags.from, async (newest) => {
      const images = await readOptional(join(newest, 'preprocessor_config.json'));
      const tokenizer = await readTokenizer(newest);
      const companions = await readCompanions(newest);
      return { images, tokenizer, companions, ...(await loadTransformer(backend, newest, { signal })) };
    });
    const { model, tokenizer, directory } = source;
    if (tokenizer) checkTokenizer(tokenizer, model.configuration, join(directory, 'tokenizer.json'));
    const files = await (to === 'onnx' ? onnxFiles(source, flags, signal) : huggingFaceFiles(source, signal));
    await saveFiles(out, files, { signal });
    const sizes = [...files].map(([name, data]) => ({ name, bytes: Buffer.byteLength(data) }));
    if (flags.json) printJson({ out, files: sizes });
    else say(formatTable([['file', 'bytes'], ...sizes.map(({ name, bytes }) => [name, formatCount(bytes)])]));
    say(`Saved to ${out}.`);
  } finally {
    backend.close();
  }
}

interface ExportSource {
  readonly model: Transformer;
  /** Its preprocessor_config.json. */
  readonly images: Buffer | undefined;
  readonly tokenizer: Tokenizer | undefined;
  /** What lay beside the model that this one was converted from. */
  readonly companions: Companions;
}

async function readCompanions(directory: string): Promise<Companions> {
  const where = join(directory, companionsFile);
  const text = await readOptional(where);
  return text === undefined ? {} : parseCompanions(parseJson(text.toString(), where), where);
}

async function readTokenizer(directory: string): Promise<Tokenizer | undefined> {
  const where = join(directory, 'tokenizer.json');
  const text = await readOptional(where);
  return text === undefined ? undefined : loadAnyTokenizer(parseJson(text.toString(), where), where);
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ConfigurationError(`${path} cannot be read: make it readable.`, { cause: error });
  });
}

async function onnxFiles(
  source: ExportSource,
  flags: ExportFlags,
  signal: AbortSignal,
): Promise<Map<string, Uint8Array | string>> {
  const { model, tokenizer, images, companions } = source;
  const { configuration } = model;
  const { graphs, outputs, autoAs } = flags;
  const exported = await exportOnnx(model, { graphs, outputs, auto: autoAs, signal });
  const files = new Map<string, Uint8Array | string>();
  for (const [name, bytes] of exported.files) files.set(`onnx/${name}`, bytes);
  const kept = { ...keptConfig(companions), ...classLabels(companions, configuration) };
  const own = onnxCompanions(configuration, tokenizer?.specialTokens ?? {}, exported, kept);
  for (const [name, text] of own) files.set(name, text);
  for (const [name, contents] of unchangedCompanions(companions))
    files.set(name, `${JSON.stringify(contents, null, 2)}\n`);
  if (tokenizer) {
    for (const [name, bytes] of tokenizerFiles(tokenizer, configuration, companions)) files.set(name, bytes);
  }
  if (images) files.set('preprocessor_config.json', images);
  return files;
}

async function huggingFaceFiles(source: ExportSource, signal: AbortSignal): Promise<Map<string, Uint8Array | string>> {
  const { model, tokenizer, companions, images } = source;
  const files = new Map<string, Uint8Array | string>(await exportHuggingFace(model, { tokenizer, companions, signal }));
  if (images) files.set('preprocessor_config.json', images);
  return files;
}
