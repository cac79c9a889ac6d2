import type { Backend } from '../types.ts';
import { floats, integers } from './storage.ts';

export function embedding(args: Parameters<Backend['embedding']>[0]): void {
  const { count, width } = args;
  const table = floats(args.table);
  const ids = integers(args.ids, count);
  const out = floats(args.out, count * width);
  for (let i = 0; i < count; i++) {
    for (let column = 0; column < width; column++) out[i * width + column] = table[ids[i] * width + column];
  }
}

export function embeddingBackward(args: Parameters<Backend['embeddingBackward']>[0]): void {
  const { count, width } = args;
  const ids = integers(args.ids, count);
  const dOut = floats(args.dOut, count * width);
  const dTable = floats(args.dTable);
  for (let i = 0; i < count; i++) {
    for (let column = 0; column < width; column++) dTable[ids[i] * width + column] += dOut[i * width + column];
  }
}
