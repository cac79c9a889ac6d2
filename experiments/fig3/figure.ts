import * as Plot from '@observablehq/plot';
import { colors, figure, type Panel } from '../results/figure.ts';
import type { Fig3Configuration } from './configuration.ts';
import { type AttentionName, attentions, type Cost, type Curve, passes } from './curve.ts';
import { attentionNames, formatLength, formats } from './format.ts';
import type { Fig3Numbers } from './run.ts';

const attentionColors: Record<AttentionName, string> = {
  exact: colors.orange,
  favor: colors.blue,
  lsh: colors.green,
  linformer: colors.pink,
  identity: colors.grey,
};

const size = { width: 330, height: 300 };
const quantities = ['seconds', 'bytes'] as const;
const quantityNames = { seconds: 'time', bytes: 'memory' } as const;

/** A mark of a curve at one length. */
interface Place {
  readonly length: number;
  readonly value: number;
}

export function draw({ curves }: Fig3Numbers, configuration: Fig3Configuration): string {
  const { models, causal, timeLimit, memoryLimit } = configuration;
  const columns = models.flatMap(({ name }) => passes.map((pass) => ({ model: name, pass })));
  const panels = quantities.flatMap((quantity, row) =>
    columns.map(({ model, pass }, column) =>
      costPanel(
        curves.filter((curve) => curve.model === model && curve.pass === pass),
        { quantity, limit: quantity === 'seconds' ? timeLimit : memoryLimit * 2 ** 30 },
        { all: curves, x: 20 + column * (size.width + 14), y: 84 + row * (size.height + 62) },
        `${model}, ${pass}`,
      ),
    ),
  );
  return figure({
    width: 40 + columns.length * (size.width + 14),
    height: 52 + 2 * (size.height + 62),
    title: 'Figure 3 · Time and memory of a pass against the length',
    subtitle:
      `${models.map(describe).join('; ')}. ${causal ? 'Causal' : 'Bidirectional'}, batch 1. ` +
      `${describeAttentions(configuration)} Crosses: predicted, not run.`,
    panels,
  });
}

const describeAttentions = ({ numFeatures, numHashes, chunkLength, projectedLength, causal }: Fig3Configuration) =>
  `Performer: m = ${numFeatures}. LSH: ${numHashes} hashes, chunks of ${chunkLength}. ` +
  `${causal ? '' : `Linformer: k = ${projectedLength}. `}X returns V.`;

const describe = ({ name, numLayers, numHeads, dModel, dFeedForward }: Fig3Configuration['models'][number]) =>
  `${name}: ${numLayers} layers, ${numHeads} ${numHeads === 1 ? 'head' : 'heads'}, d = ${dModel}, d_ff = ${dFeedForward}`;

function costPanel(
  curves: readonly Curve[],
  { quantity, limit }: { quantity: keyof Cost; limit: number },
  { all, x, y }: { all: readonly Curve[]; x: number; y: number },
  title: string,
): Panel {
  const lines = attentions.flatMap((attention) => curves.filter((curve) => curve.attention === attention));
  const reached = all.flatMap((curve) => placesOf(curve, quantity, limit));
  const lengths = reached.map(({ length }) => length);
  const isLimiting = lines.some(({ cross }) => cross?.reason === quantityNames[quantity]);
  return {
    x,
    y,
    title: `${title}: ${quantityNames[quantity]}`,
    plot: {
      ...size,
      marginLeft: 58,
      marginTop: 10,
      marginRight: 12,
      marginBottom: 42,
      x: lengthScale(lengths),
      y: costScale(
        reached.map(({ value }) => value),
        quantity,
      ),
      marks: [
        ...(isLimiting ? drawLimit(limit, quantity, lengths) : []),
        ...[...lines].reverse().flatMap((curve) => drawCurve(curve, quantity, limit)),
        ...drawNames(lines, quantity),
      ],
    },
  };
}

function drawLimit(limit: number, quantity: keyof Cost, lengths: readonly number[]): Plot.Markish[] {
  const text = `limit ${formats[quantity](limit)}`;
  const place = [{ length: Math.min(...lengths), value: limit }];
  return [
    Plot.ruleY([limit], { stroke: colors.grey, strokeDasharray: '2 3' }),
    Plot.text(place, {
      x: 'length',
      y: 'value',
      text: () => text,
      textAnchor: 'start',
      dy: -7,
      fill: colors.grey,
      fontSize: 10,
    }),
  ];
}

function drawCurve(curve: Curve, quantity: keyof Cost, limit: number): Plot.Markish[] {
  const stroke = attentionColors[curve.attention];
  const points = curve.points.map((point) => ({ length: point.length, value: point[quantity] }));
  const cross = crossPlace(curve.cross, quantity, limit);
  const last = points.at(-1);
  return [
    // X is a broad bar under the others.
    Plot.line(points, { x: 'length', y: 'value', stroke, strokeWidth: curve.attention === 'identity' ? 6 : 2 }),
    Plot.dot(points, { x: 'length', y: 'value', fill: stroke, r: 2.5 }),
    ...(cross && last
      ? [
          Plot.line([last, cross], { x: 'length', y: 'value', stroke, strokeWidth: 1.5, strokeDasharray: '2 3' }),
          Plot.dot([cross], { x: 'length', y: 'value', stroke, symbol: 'times', r: 6, strokeWidth: 2.5 }),
        ]
      : []),
  ];
}

/** Names and slopes in the corner that rising lines leave free. */
function drawNames(lines: readonly Curve[], quantity: keyof Cost): Plot.Markish[] {
  const rows = [
    { text: 'slope', fill: colors.grey },
    ...lines.map(({ attention, slopes }) => ({
      text: `${attentionNames[attention]}  ${slopes[quantity]?.toFixed(2) ?? '–'}`,
      fill: attentionColors[attention],
    })),
  ];
  return rows.map(({ text, fill }, i) =>
    Plot.text([text], {
      frameAnchor: 'bottom-right',
      dx: -6,
      dy: -6 - 17 * (rows.length - 1 - i),
      fill,
      fontWeight: i === 0 ? 'normal' : 'bold',
      stroke: 'white',
      strokeWidth: 4,
    }),
  );
}

/** Where it would have been, or on the limit. */
function crossPlace(cross: Curve['cross'], quantity: keyof Cost, limit: number): Place | undefined {
  return cross && { length: cross.length, value: cross[quantity] ?? limit };
}

function placesOf(curve: Curve, quantity: keyof Cost, limit: number): Place[] {
  const cross = crossPlace(curve.cross, quantity, limit);
  const points = curve.points.map((point) => ({ length: point.length, value: point[quantity] }));
  return cross ? [...points, cross] : points;
}

function lengthScale(lengths: readonly number[]) {
  const all = [...new Set(lengths)].sort((a, b) => a - b);
  return {
    type: 'log',
    base: 2,
    label: 'length L',
    grid: true,
    domain: [all[0] / 1.2, all[all.length - 1] * 1.2],
    ticks: all.filter((_, i) => all.length < 7 || i % 2 === 0),
    tickFormat: formatLength,
  } as const;
}

/** Powers of ten for seconds, of sixteen for bytes. */
function costScale(values: readonly number[], quantity: keyof Cost) {
  const [low, high] = [Math.min(...values) / 1.4, Math.max(...values) * 1.4];
  const [unit, base] = quantity === 'seconds' ? [1e-6, 10] : [1, 16];
  const ticks = Array.from({ length: 16 }, (_, i) => unit * base ** i).filter((tick) => tick >= low && tick <= high);
  return {
    type: 'log',
    base,
    label: null,
    grid: true,
    domain: [low, high],
    ticks,
    tickFormat: formats[quantity],
  } as const;
}
