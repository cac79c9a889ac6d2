import pico from 'picocolors';
import type { ConversionReport, LayerError, ModelComparison } from '../../src/entries/pretrained.ts';
import { formatCount, formatTable } from '../output.ts';

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const number = (value: number) => (Number.isFinite(value) ? value.toPrecision(3) : 'not finite');

/** A report as text for a terminal. */
export function describeConversion(report: ConversionReport): string {
  const { sequences, numTokens, exact, ladder, alone, keepExact, tolerance, chosen } = report;
  const predicts = exact.accuracy !== undefined;
  const parts = [
    `Measured on ${formatCount(sequences)} sequences, ${formatCount(numTokens)} tokens. Embeddings are pooled hidden states; errors are relative to exact attention's.`,
  ];
  if (ladder.length > 0) {
    const rows = ladder.map(({ estimator, numFeatures, model, layers }) => [
      estimator,
      `${numFeatures}`,
      ...comparisonCells(model, predicts),
      layers.length > 0 ? number(worst(layers)) : '',
    ]);
    const title = ['all layers', 'features', ...comparisonTitles(predicts), 'worst layer'];
    const reference = predicts ? [['exact', '', '0', '1', percent(exact.accuracy ?? 0), '']] : [];
    parts.push(formatTable([title, ...reference, ...rows]));
  }
  if (alone.length > 0) {
    const rows = alone.map(({ layer, model }) => [
      `layer ${layer} alone${keepExact.includes(layer) ? pico.yellow(' ← keep exact') : ''}`,
      ...comparisonCells(model, predicts),
    ]);
    parts.push(formatTable([['one layer', ...comparisonTitles(predicts)], ...rows]));
    parts.push(keepExactSentence(keepExact, tolerance, alone.length));
  }
  if (chosen.layers.length > 0) parts.push(headTable(chosen.layers));
  parts.push(chosenSentence(report));
  return parts.join('\n\n');
}

export function comparisonTitles(predicts: boolean): string[] {
  return ['embedding error', 'cosine', ...(predicts ? ['accuracy'] : [])];
}

export function comparisonCells(
  { embeddingError, embeddingCosine, accuracy }: ModelComparison,
  predicts: boolean,
): string[] {
  const cosine = Number.isFinite(embeddingCosine.mean) ? embeddingCosine.mean.toFixed(4) : 'not finite';
  return [number(embeddingError), cosine, ...(predicts ? [percent(accuracy ?? 0)] : [])];
}

const worst = (layers: readonly LayerError[]) => layers.reduce((most, each) => Math.max(most, each.outputError), 0);

function headTable(layers: readonly LayerError[]): string {
  const rows = layers.map(({ layer, heads, outputError, totalVariation, effectiveFeatures }) => [
    `layer ${layer}`,
    number(outputError),
    number(Math.max(...heads.map((head) => head.outputError))),
    percent(totalVariation),
    percent(Math.max(...heads.map((head) => head.totalVariation))),
    effectiveFeatures.toFixed(1),
    Math.min(...heads.map((head) => head.effectiveFeatures)).toFixed(1),
  ]);
  const title = [
    'attention alone',
    'output error',
    'worst head',
    'on wrong keys',
    'worst head',
    'features used',
    'worst head',
  ];
  return formatTable([title, ...rows]);
}

function keepExactSentence(layers: readonly number[], tolerance: number, numLayers: number): string {
  const bound = `move the embeddings by more than ${percent(tolerance)}`;
  if (layers.length === 0) return `No layer by itself would ${bound}.`;
  if (layers.length === numLayers) {
    return `Every layer by itself would ${bound}: finetune with --distill, or take more features.`;
  }
  return `Layers that by themselves ${bound}: keep them exact with --keep-exact ${layers.join(',')}, or finetune with --distill.`;
}

function chosenSentence({ chosen, exact }: ConversionReport): string {
  const { attention, exactLayers = [], model } = chosen;
  const type = typeof attention === 'string' ? attention : attention?.type;
  const features =
    typeof attention === 'object' && 'numFeatures' in attention ? `, ${attention.numFeatures} features` : '';
  const near = typeof attention === 'object' && 'nearField' in attention ? attention.nearField : null;
  const sinks = near?.sinks ? ` and ${near.sinks} sinks` : '';
  const nearField = near ? `, near field of ${near.block}${sinks}` : '';
  const layers = exactLayers.length > 0 ? `, layers ${exactLayers.join(', ')} exact` : '';
  const { accuracy } = model;
  const predicted =
    accuracy === undefined || exact.accuracy === undefined
      ? ''
      : `, accuracy ${percent(accuracy)} (exact ${percent(exact.accuracy)})`;
  return `Attention ${type}${features}${nearField}${layers}: embedding error ${number(model.embeddingError)}, cosine ${model.embeddingCosine.mean.toFixed(4)} (worst ${model.embeddingCosine.worst.toFixed(4)})${predicted}.`;
}
