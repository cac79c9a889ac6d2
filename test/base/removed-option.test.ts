import { expect, it } from 'vitest';
import { parseConfiguration } from '../../src/base/parse-configuration.ts';
import { transformerSchema } from '../../src/model/configuration.ts';
import { trainingSchema } from '../../src/training/configuration.ts';

const linformer = { type: 'linformer', projectedLength: 4 };
const model = (attention: object) => ({ vocabSize: 7, causal: false, attention });

it('files with the default of an option that was removed load as without', () => {
  const parse = (value: unknown) => parseConfiguration(transformerSchema, value, 'config.json');
  expect(JSON.stringify(parse(model({ ...linformer, sharing: 'heads' })))).toBe(
    JSON.stringify(parse(model(linformer))),
  );
  const { distillation } = parseConfiguration(trainingSchema, { distillation: { temperature: 1 } }, 'run.json');
  expect(JSON.parse(JSON.stringify(distillation))).not.toHaveProperty('temperature');
});

it('another value is refused with what to do instead', () => {
  expect(() => parseConfiguration(transformerSchema, model({ ...linformer, sharing: 'none' }), 'config.json')).toThrow(
    'Key "attention.sharing" in config.json is invalid: the option was removed, and only "heads" is left: leave out the key',
  );
  expect(() => parseConfiguration(trainingSchema, { distillation: { temperature: 2 } }, 'run.json')).toThrow(
    'Key "distillation.temperature" in run.json is invalid: the option was removed, and only 1 is left: leave out the key',
  );
});
