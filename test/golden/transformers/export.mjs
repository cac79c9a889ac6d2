// Writes every golden model as this package exports it: node export.mjs OUT, after node scripts/setup.mjs.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBackend } from '../../../dist/node.js';
import { createPretrained, directoryFiles, exportHuggingFace, readHuggingFace } from '../../../dist/pretrained-node.js';
import { loadAnyTokenizer } from '../../../dist/tokenizers.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const backend = await createBackend({ numThreads: 1 });
for (const { name } of readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  if (name.startsWith('__')) continue;
  const pretrained = await readHuggingFace(await directoryFiles(join(here, name)));
  const tokenizer = pretrained.tokenizer && (await loadAnyTokenizer(pretrained.tokenizer));
  const files = await exportHuggingFace(createPretrained(backend, pretrained), { tokenizer });
  for (const [file, bytes] of files) {
    const path = join(process.argv[2], name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
backend.close();
