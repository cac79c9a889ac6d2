// A model and a loss of one's own, trained from nothing: the adding problem. Each sequence holds 20 numbers, two of them marked;
// the answer is the sum of those two. The model is a FAVOR+ attention and two linear layers.
// Run: node examples/own-model.ts (Node 22.18 or newer, after `npm run build`). Takes some seconds.
import { createBackend, ops, Random, scope, type Tensor, tensor, valueAndGradients } from 'performers';
import { Linear, Module, MultiHeadAttention } from 'performers/layers';
import { AdamW, learningRateAt } from 'performers/training';

const backend = await createBackend();
const random = new Random(1);
const sizes = { dModel: 32, numHeads: 4 };

class AddMarked extends Module {
  embed = new Linear(backend, 2, 32, { random });
  attention = new MultiHeadAttention(backend, sizes, { type: 'favor', numFeatures: 16 }, { random });
  answer = new Linear(backend, 32, 1, { random });

  /** `[batch, length, 2]` → `[batch, 1]` */
  forward(x: Tensor): Tensor {
    const hidden = ops.activation(this.embed.forward(x), 'gelu');
    const mixed = ops.add(hidden, this.attention.forward(hidden));
    return this.answer.forward(ops.mean(ops.activation(mixed, 'gelu'), { axes: [1] }));
  }
}

const [batch, length, steps] = [64, 20, 200];
const model = new AddMarked();
const parameters = model.parameters();
const optimizer = new AdamW(parameters, { weightDecay: 0 });
for (let step = 0; step < steps; step++) {
  const [numbers, sums] = examples();
  const { value, gradients } = scope(() => {
    const [x, target] = [tensor(backend, numbers, [batch, length, 2]), tensor(backend, sums, [batch, 1])];
    const loss = () => ops.mean(ops.squaredError(model.forward(x), target));
    return valueAndGradients(loss, [...parameters.values()]);
  });
  const learningRate = learningRateAt({ learningRate: 1e-2, steps, schedule: { kind: 'cosine' } }, step);
  optimizer.step(gradients, { learningRate });
  if (step % 50 === 49 || step === 0) console.log(`step ${step}: squared error ${(await value.data())[0].toFixed(4)}`);
  for (const used of [value, ...gradients]) used.dispose();
}
backend.close();

/** Pairs of a number and its mark, and the sums of the marked numbers. */
function examples(): [numbers: Float32Array, sums: Float32Array] {
  const numbers = Float32Array.from({ length: batch * length * 2 }, (_, i) => (i % 2 === 0 ? random.uniform() : 0));
  const sums = Float32Array.from({ length: batch }, (_, row) => {
    const first = random.integer(length);
    const places = [first, (first + 1 + random.integer(length - 1)) % length].map(
      (place) => 2 * (row * length + place),
    );
    for (const place of places) numbers[place + 1] = 1;
    return numbers[places[0]] + numbers[places[1]];
  });
  return [numbers, sums];
}
