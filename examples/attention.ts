// FAVOR+ attention on plain arrays, beside exact attention: the error of the estimate falls as features are added, and no
// L×L matrix is ever made.
// Run: node examples/attention.ts (Node 22.18 or newer, after `npm run build`).
import { createBackend, exactAttention, favorAttention, Random, tensor } from 'performers';

const backend = await createBackend();
const [batch, heads, length, dHead] = [1, 4, 1024, 32];
const random = new Random(1);
const [queries, keys, values] = ['queries', 'keys', 'values'].map(() => {
  const numbers = Float32Array.from({ length: batch * heads * length * dHead }, () => 0.7 * random.normal());
  return tensor(backend, numbers, [batch, heads, length, dHead]);
});

const exact = await exactAttention(queries, keys, values, { causal: true }).data();
for (const numFeatures of [32, 128, 512]) {
  const estimate = await favorAttention(queries, keys, values, { causal: true, features: { numFeatures } }).data();
  const norm = (numbers: ArrayLike<number>) => Math.hypot(...Array.from(numbers).slice(-dHead * 256));
  const error = norm(exact.map((value, i) => value - estimate[i])) / norm(exact);
  console.log(`${numFeatures} features: error ${error.toFixed(3)}`);
}
backend.close();
