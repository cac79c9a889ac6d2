import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { explainWriteError, parseJson } from '../../src/entries/internal.ts';
import type { Stoppable } from '../../src/entries/performers.ts';
import {
  compareModels,
  type MeasuredBatch,
  type ModelComparison,
  type RecoveryReport,
} from '../../src/entries/pretrained.ts';
import { loadTeacher } from '../../src/entries/training.ts';
import { formatTable, say } from '../output.ts';
import { vocabularyOf } from '../training/corpus.ts';
import type { Run } from '../training/run.ts';
import { tokenBatches } from './batches.ts';
import { comparisonCells, comparisonTitles } from './describe.ts';

const fileName = 'recovery.json';
/** Held-out sequences that are measured. */
const sequences = 16;

/** What is in recovery.json. */
interface RecoveryFile {
  readonly before?: ModelComparison | undefined;
  readonly after?: ModelComparison | undefined;
  /** The model that training started from, or its teacher, with exact attention. */
  readonly exact: RecoveryReport['reference'];
}

/** Measures a run's model on held-out text, before and after finetuning, against the model with exact attention. */
export class Recovery {
  private constructor(
    readonly run: Run,
    readonly batches: readonly MeasuredBatch[],
    readonly before: ModelComparison | undefined,
  ) {}

  /**
   * Measures a run that starts. For a run that resumes, reads what was measured. Does nothing without held-out text.
   */
  static async open(run: Run, options: Stoppable = {}): Promise<Recovery> {
    const { out, model, corpus, configuration, resume } = run;
    const { dataset, store, tokenizer } = corpus;
    const hasReference = run.teacher !== undefined || configuration.from !== undefined;
    const batches =
      hasReference && store.heldOut.length > 0
        ? await tokenBatches(model, store.heldOut, vocabularyOf(tokenizer, dataset), {
            isOneDocument: dataset.numDocuments === 1,
            length: configuration.training.length,
            sequences,
          })
        : [];
    if (resume || batches.length === 0) return new Recovery(run, batches, resume && (await readBefore(out)));
    const { model: before, reference } = await compare(run, batches, options);
    await write(out, { before, exact: reference });
    return new Recovery(run, batches, before);
  }

  /** Measures again, prints both and keeps them in recovery.json of the run. */
  async finish(): Promise<void> {
    const { run, batches, before } = this;
    if (batches.length === 0) return;
    const { model: after, reference } = await compare(run, batches);
    await write(run.out, { before, after, exact: reference });
    const predicts = after.accuracy !== undefined;
    const exact = { embeddingError: 0, embeddingCosine: { mean: 1, worst: 1 }, ...reference };
    const rows: [string, ModelComparison | undefined][] = [
      ['before', before],
      ['after', after],
      ['exact attention', exact],
    ];
    const cells = rows.flatMap(([name, row]) => (row ? [[name, ...comparisonCells(row, predicts)]] : []));
    say(`\n${formatTable([['held out', ...comparisonTitles(predicts)], ...cells])}\n`);
  }
}

async function compare(run: Run, batches: readonly MeasuredBatch[], options: Stoppable = {}): Promise<RecoveryReport> {
  const { model, teacher, configuration } = run;
  if (teacher) return compareModels(model, teacher.model, batches, options);
  const original = await loadTeacher(model.backend, configuration.from!, options);
  try {
    return await compareModels(model, original.model, batches, options);
  } finally {
    original.model.dispose();
  }
}

async function write(out: string, file: RecoveryFile): Promise<void> {
  const path = join(out, fileName);
  await writeFile(path, `${JSON.stringify(file, null, 2)}\n`).catch((error) => {
    throw explainWriteError(error, path);
  });
}

async function readBefore(out: string): Promise<ModelComparison | undefined> {
  const path = join(out, fileName);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (parseJson(text, path) as RecoveryFile).before;
}
