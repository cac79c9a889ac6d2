import { type Case, normals } from '../../case.ts';

function casesOf(count: number, step: number): Case {
  const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.98, epsilon: 1e-9, weightDecay: 0.1, gradientScale: 0.3 };
  return {
    name: `${count} at step ${step}`,
    bound: 3e-6,
    because: '1 − beta2 of a float32 beta2 = 0.98 is off by up to 1.5e-6 of itself',
    inputs: (random) => ({ gradient: normals(random, count) }),
    outputs: (random) => ({
      parameter: normals(random, count),
      firstMoment: normals(random, count, 0.1),
      secondMoment: normals(random, count, 0.1).map((value) => value * value),
    }),
    call: (backend, { parameter, gradient, firstMoment, secondMoment }) =>
      backend.adamW({ parameter, gradient, firstMoment, secondMoment, ...options, step }),
  };
}

export const adamWCases: Case[] = [0, 1, 17, 1009, 70_001].flatMap((count) => [
  casesOf(count, 1),
  casesOf(count, 1000),
]);
