/**
 * Sinusoidal positions (Vaswani et al. 2017, section 3.5): `PE[p, 2i] = sin(p/10000^(2i/dModel))`, `PE[p, 2i+1] = cos(…)`.
 *
 * @returns `[length, dModel]` for positions `offset … offset + length − 1`
 */
export function sinusoidalPositions(offset: number, length: number, dModel: number): Float32Array {
  const table = new Float32Array(length * dModel);
  for (let p = 0; p < length; p++) {
    for (let i = 0; i < dModel; i++) {
      const angle = (offset + p) / 10_000 ** ((i - (i % 2)) / dModel);
      table[p * dModel + i] = i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}
