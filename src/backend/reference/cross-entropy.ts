import type { Backend } from '../types.ts';
import { floats, integers } from './storage.ts';

export function softmaxCrossEntropy(args: Parameters<Backend['softmaxCrossEntropy']>[0]): void {
  const { rows, vocabSize, gradientScale } = args;
  const logits = floats(args.logits, rows * vocabSize);
  const targets = integers(args.targets, rows);
  const loss = floats(args.loss, rows);
  const correct = args.correct ? floats(args.correct, rows) : undefined;
  const dLogits = args.dLogits ? floats(args.dLogits, rows * vocabSize) : undefined;
  for (let row = 0; row < rows; row++) {
    const start = row * vocabSize;
    const target = targets[row];
    const scores = logits.slice(start, start + vocabSize);
    if (target < 0) {
      loss[row] = 0;
      if (correct) correct[row] = 0;
      dLogits?.fill(0, start, start + vocabSize);
      continue;
    }
    const argmax = scores.reduce((best, score, i) => (score > scores[best] ? i : best), 0);
    const weights = scores.map((score) => Math.exp(score - scores[argmax]));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    loss[row] = Math.log(sum) + scores[argmax] - scores[target];
    if (correct) correct[row] = argmax === target ? 1 : 0;
    if (!dLogits) continue;
    for (let i = 0; i < vocabSize; i++) {
      dLogits[start + i] = (weights[i] / sum - (i === target ? 1 : 0)) * gradientScale;
    }
  }
}
