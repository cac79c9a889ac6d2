/** How the command line speaks: results on standard output, everything else on standard error. */
import pico from 'picocolors';

/** Prints a line for people. */
export function say(line = ''): void {
  process.stderr.write(`${line}\n`);
}

/** Prints the one JSON object of `--json`. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** `1,234,567` */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `3.1 GiB`, `512 MiB` */
export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${mebibytes.toFixed(0)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** `3 min 05 s`, `12 s` */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  return minutes > 0 ? `${minutes} min ${String(rest).padStart(2, '0')} s` : `${rest} s`;
}

/** Rows with aligned columns; the first column to the left, numbers to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row, r) => {
      const cells = row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])));
      return r === 0 ? pico.dim(cells.join('   ')) : cells.join('   ');
    })
    .join('\n');
}

/** One line for each setting of a nested object, such as `training.steps   1000`; `–` for null. */
export function formatSettings(settings: object): string {
  const lines = settingLines(settings, '');
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}   ${value}\n`).join('');
}

function settingLines(settings: object, prefix: string): (readonly [name: string, value: string])[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    const name = `${prefix}${key}`;
    if (value === undefined) return [];
    if (value === null) return [[name, '–'] as const];
    if (typeof value === 'string') return [[name, value] as const];
    return typeof value === 'object' && !Array.isArray(value)
      ? settingLines(value, `${name}.`)
      : [[name, JSON.stringify(value)] as const];
  });
}
