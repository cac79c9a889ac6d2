import type { AnyExperiment } from './experiment.ts';
import { fig2 } from './fig2/experiment.ts';
import { fig3 } from './fig3/experiment.ts';
import { fig4 } from './fig4/experiment.ts';
import { fig5Pg19 } from './fig5-pg19/experiment.ts';
import { fig5Transfer } from './fig5-transfer/experiment.ts';
import { fig6Proteins } from './fig6-proteins/experiment.ts';
import { fig7Images } from './fig7-images/experiment.ts';
import { fig14 } from './fig14/experiment.ts';
import { fig16Kernels } from './fig16-kernels/experiment.ts';
import { lraListOps } from './lra-listops/experiment.ts';
import { lraText } from './lra-text/experiment.ts';
import { recall } from './recall/experiment.ts';
import { theorems } from './theorems/experiment.ts';
import { useLite } from './use-lite/experiment.ts';

export type { AnyExperiment } from './experiment.ts';
export { updatePage } from './results/page.ts';
export { storedResult, writeResult } from './results/result.ts';

/** All experiments, in the order in which `reproduce all` runs them. */
export const experiments: readonly AnyExperiment[] = [
  fig2,
  fig3,
  fig4,
  fig5Pg19,
  fig6Proteins,
  fig7Images,
  fig14,
  fig16Kernels,
  lraListOps,
  lraText,
  recall,
  theorems,
  fig5Transfer,
  useLite,
];
