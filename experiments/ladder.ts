/** A pretrained sentence encoder under FAVOR+ by estimator and number of features, against itself with exact attention. */
import { z } from 'zod';
import type { FeatureOptions } from '../src/entries/performers.ts';
import { compareEmbeddings } from './embeddings.ts';
import { type ExperimentContext, pause } from './experiment.ts';
import { lineStyles } from './results/curves.ts';
import { doublingPlot, type LegendEntry, type Panel } from './results/figure.ts';
import { formatInterval, table } from './results/markdown.ts';
import { type Interval, meanInterval } from './results/statistics.ts';

/** Estimates of the softmax kernel, all over orthogonal directions; FAVOR++ needs p of the queries and keys. */
export const ladderEstimators = ['trigonometric', 'positive', 'hyperbolic', 'smreg', 'favor++'] as const;
export type LadderEstimator = (typeof ladderEstimators)[number];

export const ladderSchema = z.strictObject({
  estimators: z.array(z.enum(ladderEstimators)).min(1),
  /** Features of a head, even: hyperbolic and trigonometric maps make two of each direction. */
  numFeatures: z.array(z.int().min(2).multipleOf(2)).min(1),
  /** Draws of the directions. */
  draws: z.int().min(2),
  seed: z.int().min(0),
});

export type LadderConfiguration = z.output<typeof ladderSchema>;

/** One estimator at one number of features; means over sentences, intervals over draws. */
export interface LadderPoint {
  readonly numFeatures: number;
  /** 1 − cosine of a sentence's two embeddings. */
  readonly distance: Interval;
  /** Spearman correlation of the similarities of all pairs of sentences. */
  readonly spearman: Interval;
}

export interface LadderLine {
  readonly estimator: LadderEstimator;
  readonly points: readonly LadderPoint[];
}

/** How a line is called. */
export const estimatorNames: Readonly<Record<LadderEstimator, string>> = {
  trigonometric: 'trigonometric',
  positive: 'positive',
  hyperbolic: 'hyperbolic',
  smreg: 'regularised (SMREG)',
  'favor++': 'FAVOR++',
};

/** @param p mean ‖x + y‖²/dHead of scaled queries and keys, for FAVOR++ */
export function estimatorFeatures(
  estimator: LadderEstimator,
  p: number,
): Required<Pick<FeatureOptions, 'featureMap' | 'projection'>> {
  return { featureMap: estimator === 'favor++' ? { type: estimator, p } : estimator, projection: 'orthogonal' };
}

/** @param embed vectors of all sentences with this estimator */
export async function climb(
  { estimators, numFeatures, draws, seed }: LadderConfiguration,
  wanted: readonly ArrayLike<number>[],
  embed: (estimator: LadderEstimator, numFeatures: number, seed: number) => Promise<readonly ArrayLike<number>[]>,
  { progress, signal }: Pick<ExperimentContext, 'progress' | 'signal'>,
): Promise<LadderLine[]> {
  const lines: LadderLine[] = [];
  const steps = estimators.length * numFeatures.length;
  for (const estimator of estimators) {
    const points: LadderPoint[] = [];
    for (const m of numFeatures) {
      progress((lines.length * numFeatures.length + points.length) / steps, `${estimator}, ${m} features`);
      const distances: number[] = [];
      const correlations: number[] = [];
      for (let draw = 0; draw < draws; draw++) {
        const { meanCosine, spearman } = compareEmbeddings(await embed(estimator, m, seed + draw), wanted);
        distances.push(1 - meanCosine);
        correlations.push(spearman);
        await pause(signal);
      }
      points.push({ numFeatures: m, distance: meanInterval(distances), spearman: meanInterval(correlations) });
    }
    lines.push({ estimator, points });
  }
  return lines;
}

/** The cosines, and then the Spearman correlations, of a ladder. */
export function ladderTables(lines: readonly LadderLine[]): string {
  const heads = lines[0].points.map(({ numFeatures }) => `${numFeatures} features`);
  const cells = (of: (point: LadderPoint) => Interval) =>
    lines.map(({ estimator, points }) => [
      estimatorNames[estimator],
      ...points.map((point) => formatInterval(of(point))),
    ]);
  const cosine = ({ distance: { mean, low, high } }: LadderPoint): Interval => ({
    mean: 1 - mean,
    low: 1 - high,
    high: 1 - low,
  });
  return [
    table(['mean cosine to the exact embedding', ...heads], cells(cosine)),
    '',
    table(
      ['Spearman correlation of all similarities', ...heads],
      cells(({ spearman }) => spearman),
    ),
  ].join('\n');
}

/** What the panels of a ladder share. */
export function ladderLegend(lines: readonly LadderLine[]): LegendEntry[] {
  return [...lineStyles(lines.map(({ estimator }) => estimatorNames[estimator])).values()];
}

/** One measure of a ladder against the number of features. */
export function ladderPanel(
  lines: readonly LadderLine[],
  {
    x,
    y,
    title,
    legend,
    label,
    size,
    of,
    shown: onScale = lines,
  }: {
    readonly x: number;
    readonly y: number;
    readonly title: string;
    readonly legend?: readonly LegendEntry[];
    readonly label: string;
    readonly size: { readonly width: number; readonly height: number };
    readonly of: (point: LadderPoint) => Interval;
    /** What the scale has room for. Default: the lines. */
    readonly shown?: readonly LadderLine[];
  },
): Panel {
  const styles = lineStyles(lines.map(({ estimator }) => estimatorNames[estimator]));
  // An interval of few draws may reach below zero, which has no place on a logarithmic scale.
  const shown = (point: LadderPoint) => {
    const { mean, low, high } = of(point);
    return { y: mean, low: Math.max(low, mean / 2), high };
  };
  const rows = lines.flatMap(({ estimator, points }) =>
    points.map((point) => ({
      x: point.numFeatures,
      color: styles.get(estimatorNames[estimator])?.color,
      ...shown(point),
    })),
  );
  return {
    x,
    y,
    title,
    ...(legend && { legend, entriesPerRow: 3 }),
    plot: doublingPlot(rows, {
      size,
      labels: ['features', label],
      shown: onScale.flatMap(({ points }) => points.map(shown).flatMap(({ low, high }) => [low, high])),
    }),
  };
}

/** 1 − the correlation, which a logarithmic scale shows. */
export const missing = ({ spearman: { mean, low, high } }: LadderPoint): Interval => ({
  mean: 1 - mean,
  low: 1 - high,
  high: 1 - low,
});
