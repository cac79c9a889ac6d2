import type { Backend } from '../types.ts';
import { rowStart } from './attention-arrays.ts';
import { floats } from './storage.ts';

export function rotary(args: Parameters<Backend['rotary']>[0]): void {
  const { batch, heads, length, dHead, layout, offset, base, inverse } = args;
  const x = floats(args.x, batch * heads * length * dHead);
  const out = floats(args.out, batch * heads * length * dHead);
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < heads; head++) {
      for (let position = 0; position < length; position++) {
        const row = rowStart(layout, heads, length, dHead, b, head, position);
        for (let pair = 0; pair + 1 < dHead; pair += 2) {
          const angle = (offset + position) * base ** (-pair / dHead) * (inverse ? -1 : 1);
          const even = x[row + pair];
          const odd = x[row + pair + 1];
          out[row + pair] = even * Math.cos(angle) - odd * Math.sin(angle);
          out[row + pair + 1] = even * Math.sin(angle) + odd * Math.cos(angle);
        }
        if (dHead % 2 === 1) out[row + dHead - 1] = x[row + dHead - 1];
      }
    }
  }
}
