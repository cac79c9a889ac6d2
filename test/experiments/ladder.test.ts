import { describe, expect, it } from 'vitest';
import { climb, estimatorFeatures, ladderSchema, ladderTables, missing } from '../../experiments/ladder.ts';

const configuration = ladderSchema.parse({
  estimators: ['positive', 'favor++'],
  numFeatures: [4, 16],
  draws: 2,
  seed: 5,
});
const wanted = [
  [1, 0],
  [0, 1],
  [1, 1],
];
const context = { progress: () => {}, signal: new AbortController().signal };

describe('a ladder of features', () => {
  it('has means and intervals over the draws, in order', async () => {
    const asked: string[] = [];
    const lines = await climb(
      configuration,
      wanted,
      async (estimator, numFeatures, seed) => {
        asked.push(`${estimator} ${numFeatures} ${seed}`);
        // One vector of the first draw is turned by 60°, no vector of the second.
        return seed === 5 ? [[0.5, Math.sqrt(0.75)], wanted[1], wanted[2]] : wanted;
      },
      context,
    );
    expect(asked.slice(0, 5)).toEqual([
      'positive 4 5',
      'positive 4 6',
      'positive 16 5',
      'positive 16 6',
      'favor++ 4 5',
    ]);
    const [{ points }] = lines;
    expect(points.map(({ numFeatures }) => numFeatures)).toEqual([4, 16]);
    // Distances 0.5/3 and 0; Student's quantile for two values is 12.706.
    const mean = 0.5 / 6;
    expect(points[0].distance.mean).toBeCloseTo(mean, 12);
    expect(points[0].distance.high).toBeCloseTo(mean + (12.7062 * mean * Math.SQRT2) / Math.SQRT2, 4);
    // Pairs 12, 13, 23 have the cosines 0, √½, √½; turned 0.87, 0.97, √½: ranks 1, 2.5, 2.5 against 2, 3, 1.
    expect(points[0].spearman.mean).toBeCloseTo((0 + 1) / 2, 12);
    expect(missing(points[0]).mean).toBeCloseTo(0.5, 12);
    expect(missing(points[0]).low).toBeCloseTo(1 - points[0].spearman.high, 12);
    expect(ladderTables(lines)).toContain('| positive | 0.917 [');
  });

  it('gives FAVOR++ its p', () => {
    expect(estimatorFeatures('favor++', 0.25).featureMap).toEqual({ type: 'favor++', p: 0.25 });
    expect(estimatorFeatures('smreg', 0.25)).toEqual({ featureMap: 'smreg', projection: 'orthogonal' });
  });
});
