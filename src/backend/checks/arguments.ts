/** Checks of single arguments: each returns what passes, and throws one sentence that names what does not. */
import { ConfigurationError, ShapeError } from '../../base/errors.ts';
import { describe } from '../../base/options.ts';

export function argumentsOf(where: string, args: unknown): void {
  if (typeof args === 'object' && args !== null) return;
  throw new ConfigurationError(`${where}: the arguments are ${describe(args)}; give an object.`);
}

export function size(where: string, name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new ShapeError(`${where}: ${name} is ${describe(value)}; give a whole number from ${least} to ${most}.`);
}

export function evenSize(where: string, name: string, value: unknown, least: number, most: number): number {
  if (size(where, name, value, least, most) % 2 === 0) return value as number;
  throw new ShapeError(`${where}: ${name} is ${describe(value)}; give an even number.`);
}

export function number(where: string, name: string, value: unknown): number {
  if (typeof value === 'number') return value;
  throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; give a number.`);
}

export function numberBelow(where: string, name: string, value: unknown, least: number, bound: number): number {
  if (typeof value === 'number' && value >= least && value < bound) return value;
  throw new ConfigurationError(
    `${where}: ${name} is ${describe(value)}; give a number from ${least} to below ${bound}.`,
  );
}

export function flag(where: string, name: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true;
  throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; give true or false.`);
}

export function choice<T extends string>(where: string, name: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; choose ${choices.join(', ')}.`);
}

/** @throws ConfigurationError unless both are given, or neither. */
export function together(where: string, name: string, value: unknown, other: string, otherValue: unknown): void {
  if ((value === undefined) === (otherValue === undefined)) return;
  const [missing, given] = value === undefined ? [name, other] : [other, name];
  throw new ConfigurationError(`${where}: ${given} is given without ${missing}; give both, or neither.`);
}

/** Elements that `batch` matrices of `rows` × `columns` span, whose entries are the strides apart. */
export function extent(
  batch: number,
  strideBatch: number,
  rows: number,
  strideRow: number,
  columns: number,
  strideColumn: number,
): number {
  if (batch === 0 || rows === 0 || columns === 0) return 0;
  return (batch - 1) * strideBatch + (rows - 1) * strideRow + (columns - 1) * strideColumn + 1;
}
