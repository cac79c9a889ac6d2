import { describe, expect, it } from 'vitest';
import { nearestKey } from '../../src/base/parse-configuration.ts';
import { parseTrainingConfiguration } from '../../src/training/configuration.ts';

describe('parseTrainingConfiguration', () => {
  it("fills in the paper's defaults", () => {
    expect(parseTrainingConfiguration({ steps: 77 })).toMatchObject({
      steps: 77,
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.98,
      epsilon: 1e-9,
      weightDecay: 0.1,
      clip: 0.5,
      warmupSteps: 0,
      schedule: { kind: 'constant' },
      accumulate: 1,
      seed: 0,
    });
    expect(parseTrainingConfiguration({ schedule: { kind: 'cosine' } }).schedule).toEqual({
      kind: 'cosine',
      finalFraction: 0.1,
    });
  });

  it.each<[unknown, string]>([
    [{ learning_rate: 1 }, 'Unknown key "learning_rate" in c.json: did you mean "learningRate"?'],
    [{ stpes: 1 }, 'Unknown key "stpes" in c.json: did you mean "steps"?'],
    [
      { schedule: { kind: 'cosine', finalFractoin: 0 } },
      'Unknown key "schedule.finalFractoin" in c.json: did you mean "finalFraction"?',
    ],
    [
      { schedule: { kind: 'constant', finalFraction: 0 } },
      'Unknown key "schedule.finalFraction" in c.json: known keys are kind.',
    ],
    [{ steps: 0 }, 'Key "steps" in c.json is invalid: Too small: expected number to be >=1.'],
    [{ batchSize: 2.5 }, 'Key "batchSize" in c.json is invalid: expected int, received number.'],
    [{ beta2: 1 }, 'Key "beta2" in c.json is invalid: Too big: expected number to be <1.'],
    [{ clip: 'no' }, 'Key "clip" in c.json is invalid: expected number, received string.'],
    [{ schedule: { kind: 'step' } }, 'Key "schedule.kind" in c.json is invalid: '],
    [[], 'c.json is invalid: expected object, received array.'],
  ])('refuses %j, naming the key and the fix', (value, message) => {
    expect(() => parseTrainingConfiguration(value, 'c.json')).toThrow(message);
  });

  it('lists the known keys when none is near', () => {
    expect(() => parseTrainingConfiguration({ zebra: 1 }, 'c.json')).toThrow(
      /^Unknown key "zebra" in c\.json: known keys are steps, batchSize, .*seed\.$/,
    );
  });

  it('clipping can be turned off', () => {
    expect(parseTrainingConfiguration({ clip: null }).clip).toBeNull();
  });
});

describe('nearestKey', () => {
  it('ignores case and punctuation and prefers the fewest edits', () => {
    expect(nearestKey('WARMUP-STEPS', ['steps', 'warmupSteps'])).toBe('warmupSteps');
    expect(nearestKey('beta3', ['beta1x', 'beta2'])).toBe('beta2');
    expect(nearestKey('zebra', ['steps', 'seed'])).toBeUndefined();
  });
});
