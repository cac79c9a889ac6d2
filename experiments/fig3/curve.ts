export const attentions = ['exact', 'favor', 'lsh', 'linformer', 'identity'] as const;
export type AttentionName = (typeof attentions)[number];

export const passes = ['forward', 'forward + backward'] as const;
export type Pass = (typeof passes)[number];

/** What one pass takes: the two quantities of the figure. */
export interface Cost {
  readonly seconds: number;
  /** Held beyond the model's parameters. */
  readonly bytes: number;
}

export interface Point extends Cost {
  readonly length: number;
}

/** Where a curve ends, with what the pass would have taken if its last two points foretell it. */
export interface Cross extends Partial<Cost> {
  readonly length: number;
  readonly reason: 'time' | 'memory';
}

export interface Curve {
  readonly model: string;
  readonly attention: AttentionName;
  readonly pass: Pass;
  readonly points: readonly Point[];
  readonly cross?: Cross;
  /** Exponents of the power laws L^slope. */
  readonly slopes: Partial<Cost>;
}

/** The power law through the last two points, at `length`. */
export function predict(points: readonly Point[], length: number): Partial<Cost> {
  const [before, last] = points.slice(-2);
  if (!before || !last) return {};
  const steps = Math.log(length / last.length) / Math.log(last.length / before.length);
  const at = (quantity: keyof Cost) => last[quantity] * (last[quantity] / before[quantity]) ** steps;
  return { seconds: at('seconds'), bytes: at('bytes') };
}

/** A cross if `length` is predicted to pass a limit. */
export function crossAt(points: readonly Point[], length: number, limits: Cost): Cross | undefined {
  const predicted = predict(points, length);
  if ((predicted.bytes ?? 0) > limits.bytes) return { length, reason: 'memory', ...predicted };
  if ((predicted.seconds ?? 0) > limits.seconds) return { length, reason: 'time', ...predicted };
  return undefined;
}

/** Least squares on logarithms over the upper half of the points; nothing for fewer than two points. */
export function fitSlopes(points: readonly Point[]): Partial<Cost> {
  if (points.length < 2) return {};
  const upper = points.slice(-Math.max(2, Math.ceil(points.length / 2)));
  const x = upper.map(({ length }) => Math.log2(length));
  const slope = (quantity: keyof Cost) => {
    const y = upper.map((point) => Math.log2(point[quantity]));
    return covariance(x, y) / covariance(x, x);
  };
  return { seconds: slope('seconds'), bytes: slope('bytes') };
}

function covariance(x: readonly number[], y: readonly number[]): number {
  const centre = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [centre(x), centre(y)];
  return x.reduce((sum, value, i) => sum + (value - meanX) * (y[i] - meanY), 0);
}

/** How far the Performer is from X and from exact attention, at the largest lengths that both were measured at. */
export interface Closeness {
  readonly model: string;
  readonly pass: Pass;
  /** Performer over X. */
  readonly overX?: Point;
  /** Transformer over Performer. */
  readonly exactOver?: Point;
  /** From which measured length on the Performer was faster than exact attention. */
  readonly fasterFrom?: number;
}

export function closeness(curves: readonly Curve[], model: string, pass: Pass): Closeness {
  const [exact, favor, identity] = (['exact', 'favor', 'identity'] as const).map(
    (name) => curves.find((curve) => curve.model === model && curve.pass === pass && curve.attention === name)?.points,
  );
  const [overX, exactOver] = [ratios(favor, identity), ratios(exact, favor)];
  const slower = exactOver.findLastIndex(({ seconds }) => seconds <= 1);
  return { model, pass, overX: overX.at(-1), exactOver: exactOver.at(-1), fasterFrom: exactOver[slower + 1]?.length };
}

/** a over b at every length that both have. */
function ratios(a: readonly Point[] = [], b: readonly Point[] = []): Point[] {
  return a.flatMap(({ length, seconds, bytes }) => {
    const other = b.find((point) => point.length === length);
    return other ? [{ length, seconds: seconds / other.seconds, bytes: bytes / other.bytes }] : [];
  });
}
