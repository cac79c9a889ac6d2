import type { Backend, FloatArray } from '../types.ts';
import { floats } from './storage.ts';

export function softmaxKlDivergence(args: Parameters<Backend['softmaxKlDivergence']>[0]): void {
  const { rows, vocabSize, inverseTemperature, gradientScale } = args;
  const logits = floats(args.logits, rows * vocabSize);
  const targets = floats(args.targets, rows * vocabSize);
  const loss = floats(args.loss, rows);
  const correct = args.correct ? floats(args.correct, rows) : undefined;
  const dLogits = args.dLogits ? floats(args.dLogits, rows * vocabSize) : undefined;
  for (let row = 0; row < rows; row++) {
    const start = row * vocabSize;
    const student = logSoftmax(logits.slice(start, start + vocabSize), inverseTemperature);
    const teacher = logSoftmax(targets.slice(start, start + vocabSize), inverseTemperature);
    loss[row] = 0;
    for (const [i, p] of teacher.entries())
      if (p > Number.NEGATIVE_INFINITY) loss[row] += Math.exp(p) * (p - student[i]);
    if (correct) correct[row] = argmax(student) === argmax(teacher) ? 1 : 0;
    if (!dLogits) continue;
    for (const [i, p] of teacher.entries()) {
      dLogits[start + i] = (Math.exp(student[i]) - Math.exp(p)) * gradientScale;
    }
  }
}

function logSoftmax(logits: FloatArray, inverseTemperature: number): number[] {
  const scores = Array.from(logits, (logit) => logit * inverseTemperature);
  const top = scores[argmax(scores)];
  const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
  return scores.map((score) => score - top - Math.log(sum));
}

/** The first of the largest. */
function argmax(scores: readonly number[]): number {
  return scores.reduce((best, score, i) => (score > scores[best] ? i : best), 0);
}
