// FAVOR+ attention on plain arrays, beside exact attention: the error of the estimate falls as features are added, and no
// L×L matrix is ever made.
// Run: node examples/attention.ts (Node 22.18 or newer, after `npm run build`).
import { createBackend, exactAttention, favorAttention, Random, tensor } from 'performers';

const backend = await createBackend();
const [batch, heads, length, dHead] = [1, 4, 1024, 32];
const random = new Random(1);
const [queries, keys, values] = [0.4, 0.4, 1].map((deviation) => {
  const numbers = Float32Array.from({ length: batch * heads * length * dHead }, () => deviation * random.normal());
  return tensor(backend, numbers, [batch, heads, length, dHead]);
});

const exact = await exactAttention(queries, keys, values, { causal: true }).data();
for (const numFeatures of [32, 128, 512]) {
  const estimate = await favorAttention(queries, keys, values, { causal: true, features: { numFeatures } }).data();
  const norm = (numbers: ArrayLike<number>) => Math.sqrt(Array.from(numbers).reduce((sum, x) => sum + x * x, 0));
  const error = norm(exact.map((value, i) => value - estimate[i])) / norm(exact);
  console.log(`${numFeatures} features: error ${error.toFixed(3)}`);
}
backend.close();
