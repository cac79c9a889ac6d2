import type { AttentionName, Cost } from './curve.ts';

export const attentionNames: Record<AttentionName, string> = {
  exact: 'Transformer',
  favor: 'Performer',
  lsh: 'LSH (Reformer)',
  linformer: 'Linformer',
  identity: 'X',
};

/** `2⁷`, for powers of two. */
export function formatLength(length: number): string {
  const exponent = Math.log2(length);
  if (!Number.isInteger(exponent)) return `${length}`;
  return `2${[...`${exponent}`].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('')}`;
}

/** Two significant digits, three from 100 on. */
const digits = (value: number) => `${Number(value.toPrecision(value >= 100 ? 3 : 2))}`;

/** `0.56 ms`, `34 ms`, `1.2 s` */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${digits(1000 * seconds)} ms` : `${digits(seconds)} s`;
}

/** `340 KiB`, `34 MiB`, `1.2 GiB` */
export function formatBytes(bytes: number): string {
  const [unit, name] =
    bytes >= 2 ** 30 ? [2 ** 30, 'GiB'] : bytes >= 2 ** 20 ? [2 ** 20, 'MiB'] : ([2 ** 10, 'KiB'] as const);
  return `${digits(bytes / unit)} ${name}`;
}

export const formats: Record<keyof Cost, (value: number) => string> = { seconds: formatSeconds, bytes: formatBytes };
