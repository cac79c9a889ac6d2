// Writes merges.json: what the Rust trainer of Hugging Face's tokenizers learns from corpus.txt.
// Run: npm install --no-save tokenizers && node test/golden/tokenizers/generate.mjs
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BPE, byteLevelPreTokenizer, Tokenizer } from 'tokenizers';

const here = fileURLToPath(new URL('.', import.meta.url));
const tokenizer = new Tokenizer(BPE.empty());
tokenizer.setPreTokenizer(byteLevelPreTokenizer(false));
tokenizer.train([join(here, 'corpus.txt')]);
const saved = join(mkdtempSync(join(tmpdir(), 'golden-')), 'tokenizer.json');
tokenizer.save(saved);
const merges = JSON.parse(readFileSync(saved, 'utf8')).model.merges;
const pairs = merges.map((merge) => (typeof merge === 'string' ? merge.split(' ') : merge));
writeFileSync(join(here, 'merges.json'), `[\n${pairs.map((pair) => JSON.stringify(pair)).join(',\n')}\n]\n`);
