import type { HeadReport } from './report-types.ts';

/**
 * An estimate whose rows are this many times closer to plain averaging than the exact ones has collapsed. The estimate is a
 * mean over random features, whose noise makes rows more uneven, never less; so what evens them out is bias, such as a
 * constant added to features that are small beside it, and a healthy estimate lies at or above 1. A kernel that is merely
 * another one, such as ReLU's, is flagged too where it no longer tells keys apart that softmax does.
 */
const collapsedContrast = 1 / 4;

/** Exact rows within this total variation of averaging lose nothing by it: no more than a tenth of the attention moves. */
const uniformContrast = 0.1;

/** The relative error of a row's divisor is about 1/√(effective features): a third here. */
const fewFeatures = 10;

/** What looks wrong in a report, in one sentence each. */
export function reportWarnings(heads: readonly HeadReport[], numFeatures: number, estimatesSoftmax: boolean): string[] {
  const warnings: string[] = [];
  const warn = (applies: (head: HeadReport) => boolean, sentence: (concerned: readonly HeadReport[]) => string) => {
    const concerned = heads.filter(applies);
    if (concerned.length > 0) warnings.push(`${named(concerned, heads)}: ${sentence(concerned)}`);
  };
  if (!estimatesSoftmax) {
    warnings.push(
      'These features define a kernel of their own, which more of them do not bring closer to softmax; errors are against softmax.',
    );
  }
  warn(
    ({ contrast }) => contrast.exact > uniformContrast && contrast.estimated < collapsedContrast * contrast.exact,
    () =>
      'the estimate has collapsed towards the mean of the values: its rows are nearly uniform where the exact ones are not; ' +
      'use positive features without an epsilon, or scale queries and keys down.',
  );
  warn(
    ({ effectiveFeatures, totalVariation }) =>
      estimatesSoftmax && effectiveFeatures < fewFeatures && totalVariation.mean > uniformContrast,
    (concerned) =>
      `${smallest(concerned).toFixed(1)} of ${numFeatures} features decide a row, too few for queries and keys this long; ` +
      'draw more, or scale queries and keys down.',
  );
  warn(
    ({ negativeDenominators }) => negativeDenominators > 0,
    (concerned) =>
      `the sum of a row is negative for up to ${percent(concerned)} of the queries, whose outputs have the wrong sign; ` +
      'use positive features, or draw more.',
  );
  return warnings;
}

function smallest(heads: readonly HeadReport[]): number {
  return heads.reduce((least, { effectiveFeatures }) => Math.min(least, effectiveFeatures), Number.POSITIVE_INFINITY);
}

function percent(heads: readonly HeadReport[]): string {
  const largest = heads.reduce((most, { negativeDenominators }) => Math.max(most, negativeDenominators), 0);
  return `${(100 * largest).toPrecision(2)} %`;
}

function named(heads: readonly HeadReport[], all: readonly HeadReport[]): string {
  if (heads.length === all.length) return all.length === 1 ? 'The head' : `All ${all.length} heads`;
  const shown = heads.slice(0, 4).map(({ batch, head }) => `head ${head} of batch row ${batch}`);
  const others = heads.length - shown.length;
  const list = shown.join(', ') + (others > 0 ? ` and ${others} others` : '');
  return list[0].toUpperCase() + list.slice(1);
}
