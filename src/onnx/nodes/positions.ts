import type { Graph } from '../graph.ts';

/**
 * Sines of `positions·frequencies + shift` quarter turns. Turns are counted in float64 and only their fractions become
 * float32: far positions keep their precision.
 *
 * @param positions int64 `[…, length]`
 * @returns float32 `[…, length, frequencies]`
 */
function sines(graph: Graph, positions: string, frequencies: readonly number[], quarters: readonly number[]): string {
  const column = graph.unsqueeze(graph.cast(positions, 'float64'), -1);
  const turns = graph.add('Mul', [column, graph.doubles(frequencies.map((frequency) => frequency / (2 * Math.PI)))]);
  const shifted = graph.add('Add', [turns, graph.doubles(quarters.map((quarter) => quarter / 4))]);
  const whole = graph.cast(graph.cast(shifted, 'int64'), 'float64');
  const fraction = graph.cast(graph.add('Sub', [shifted, whole]), 'float32');
  return graph.add('Sin', [graph.add('Mul', [fraction, 2 * Math.PI])]);
}

/** 10,000^(−2i/width) of every pair i, once for each of its two numbers. */
function pairFrequencies(width: number): number[] {
  return Array.from({ length: width }, (_, i) => 10_000 ** (-(i - (i % 2)) / width));
}

/** Sinusoidal positions, as `sinusoidalPositions` of src/model computes them: `[…, length, dModel]`. */
export function sinusoids(graph: Graph, positions: string, dModel: number): string {
  const frequencies = pairFrequencies(dModel);
  return sines(
    graph,
    positions,
    frequencies,
    frequencies.map((_, i) => i % 2),
  );
}

/** What rotary positions need, for all layers alike. */
export interface RotaryTables {
  /** `[batch or 1, length, 1, dHead]` */
  readonly cosines: string;
  readonly sines: string;
  /** `[dHead, dHead]`: takes (x[2i], x[2i+1]) to (−x[2i+1], x[2i]). */
  readonly turn: string;
}

/** @param positions int64 `[batch or 1, length]` */
export function rotaryTables(graph: Graph, positions: string, dHead: number): RotaryTables {
  const frequencies = pairFrequencies(dHead);
  const table = (quarter: number) => {
    const values = sines(graph, positions, frequencies, new Array<number>(dHead).fill(quarter));
    return graph.unsqueeze(values, 2);
  };
  const turn = new Float32Array(dHead * dHead);
  for (let i = 0; i < dHead; i += 2) {
    turn[(i + 1) * dHead + i] = -1;
    turn[i * dHead + i + 1] = 1;
  }
  return { cosines: table(1), sines: table(0), turn: graph.floats(turn, [dHead, dHead]) };
}

/** Rotary positions of heads `[batch, length, heads, dHead]`. */
export function rotate(graph: Graph, x: string, tables: RotaryTables): string {
  const turned = graph.add('MatMul', [x, tables.turn]);
  return graph.add('Add', [graph.add('Mul', [x, tables.cosines]), graph.add('Mul', [turned, tables.sines])]);
}
