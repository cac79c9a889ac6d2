import type { Target } from '../target.ts';
import { compressed, fasta, jsonl, npz, parquet, table, uniprot, wikipedia, zipArchive } from './datasets.ts';
import { faultsTarget } from './faults.ts';
import { checkpoint, huggingFace, model } from './models.ts';
import { safetensors } from './safetensors.ts';
import { savedState } from './saved-state.ts';
import { server } from './server.ts';
import { tokenizer } from './tokenizer.ts';

/** What `npm run fuzz` reads. */
export const targets: readonly Target[] = [
  safetensors,
  tokenizer,
  model,
  huggingFace,
  checkpoint,
  savedState,
  parquet,
  npz,
  zipArchive,
  fasta,
  uniprot,
  jsonl,
  table,
  wikipedia,
  compressed,
  server,
];

export const targetNamed = (name: string): Target | undefined =>
  [...targets, faultsTarget].find((target) => target.name === name);
