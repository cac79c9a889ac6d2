import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Backend,
  createBackend,
  decodeSafetensors,
  saveModel,
  type Transformer,
  type TransformerOptions,
} from '../../src/entries/performers.ts';
import { ByteTokenizer } from '../../src/entries/tokenizers.ts';
import { base, drawModel, graphResults, int64, largestError, ownResults, tokenBatch } from '../onnx/models.ts';
import { loadRuntimes, openSession } from '../onnx/runtimes.ts';
import { performers } from './performers.ts';

let folder: string;
let backend: Backend;
let decoder: Transformer;

async function save(name: string, options: TransformerOptions): Promise<Transformer> {
  const model = await drawModel(backend, options);
  await saveModel(join(folder, name), model, { tokenizer: JSON.stringify(new ByteTokenizer({ mask: true })) });
  return model;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'performers-export-'));
  backend = await createBackend();
  const vocabSize = new ByteTokenizer({ mask: true }).vocabSize;
  decoder = await save('decoder', { ...base, vocabSize });
  await save('encoder', { ...base, vocabSize, causal: false, attention: { type: 'auto', numFeatures: 22 } });
  await save('lsh', { ...base, vocabSize, attention: 'lsh' });
  await save('rotary', { ...base, vocabSize, positions: 'rotary' });
});

afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => performers(folder, 'export', ...args);
const read = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));

describe('performers export --to onnx', () => {
  it('writes the graphs of a decoder with what transformers.js reads beside them', async () => {
    const { status, stdout, stderr } = run('--from', 'decoder', '--to', 'onnx', '--out', 'out', '--json');
    expect(stderr).toContain('Saved to out.');
    expect(status).toBe(0);
    const names = ['config.json', 'generation_config.json', 'onnx', 'tokenizer.json', 'tokenizer_config.json'];
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(names);
    expect(readdirSync(join(folder, 'out/onnx')).sort()).toEqual(['decoder_model.onnx', 'model.onnx', 'states.json']);
    const listed = JSON.parse(stdout).files.map(({ name }: { name: string }) => name);
    expect(listed.sort()).toEqual(
      [
        ...names.filter((name) => name !== 'onnx'),
        'onnx/decoder_model.onnx',
        'onnx/model.onnx',
        'onnx/states.json',
      ].sort(),
    );
    expect(read('out', 'config.json')).toMatchObject({
      model_type: 'gpt2',
      n_layer: 2,
      n_head: 3,
      n_embd: 30,
      'transformers.js_config': { dtype: 'fp32' },
    });
    expect(read('out', 'tokenizer_config.json')).toMatchObject({ mask_token: expect.any(String) });
    expect(read('out', 'onnx/states.json')).toMatchObject({
      graph: 'model.onnx',
      initial: 0,
      states: [
        { input: 'past_key_values.0.key', output: 'present.0.key', shape: ['batch_size', 3, 44, 11] },
        { input: 'past_key_values.0.value', output: 'present.0.value', shape: ['batch_size', 3, 1, 22] },
        { input: 'past_key_values.1.key', output: 'present.1.key' },
        { input: 'past_key_values.1.value', output: 'present.1.value' },
      ],
    });
    const [[name, runtime]] = await loadRuntimes();
    const session = await openSession(runtime, name, readFileSync(join(folder, 'out/onnx/decoder_model.onnx')));
    const given = tokenBatch(2, 13);
    expect(largestError(await graphResults(session, given), await ownResults(decoder, given))).toBeLessThan(1e-5);
    await session.release();
  });

  it('writes the graphs and outputs that are asked for', async () => {
    const only = ['--graphs', 'sequence', '--outputs', 'last_hidden_state', '--auto-as', 'exact'];
    expect(run('--from', 'encoder', '--to', 'onnx', '--out', 'part', ...only).status).toBe(0);
    expect(readdirSync(join(folder, 'part/onnx'))).toEqual(['model.onnx']);
    expect(read('part', 'config.json')).toMatchObject({ model_type: 'bert', num_hidden_layers: 2 });
    const bytes = readFileSync(join(folder, 'part/onnx/model.onnx'));
    expect(bytes.includes('blocks.0.attention.query.weight')).toBe(true);
    expect(bytes.includes('projection')).toBe(false);
    const [[name, runtime]] = await loadRuntimes();
    const session = await openSession(runtime, name, bytes);
    const results = await session.run({ input_ids: int64([1, 2, 3], 1, 3), attention_mask: int64([1, 1, 1], 1, 3) });
    expect(Object.keys(results)).toEqual(['last_hidden_state']);
    await session.release();
  });

  it.each([
    ['attention that no graph computes', ['--from', 'lsh'], /LSH attention sorts by hashes, .*\.$/],
    [
      'a graph that the model does not have',
      ['--from', 'encoder', '--graphs', 'step'],
      /no graph "step": export "sequence" alone\.$/,
    ],
    [
      'an output that the model does not have',
      ['--from', 'decoder', '--outputs', 'pooler_output'],
      /no output pooler_output: choose among last_hidden_state, logits\.$/,
    ],
    ['a model that does not exist', ['--from', 'nothing'], /There is no nothing: name the directory/],
  ])('refuses %s and writes nothing', (_, args, message) => {
    const { status, stderr } = run(...args, '--to', 'onnx', '--out', 'refused');
    expect(stderr.trim()).toMatch(message);
    expect(status).toBe(1);
    expect(existsSync(join(folder, 'refused'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('leaves a directory that holds files as it is', () => {
    mkdirSync(join(folder, 'full'));
    writeFileSync(join(folder, 'full/mine.txt'), 'mine');
    const { status, stderr } = run('--from', 'decoder', '--to', 'onnx', '--out', 'full');
    expect(stderr).toContain('full holds files already: name a directory that is new or empty.');
    expect(status).toBe(1);
    expect(readdirSync(join(folder, 'full'))).toEqual(['mine.txt']);
  });

  it('refuses a name it does not know, and a damaged tokenizer', () => {
    const unknown = run('--from', 'decoder', '--to', 'onnx', '--out', 'refused', '--graphs', 'steps');
    expect(unknown.stderr).toContain('Give some of sequence,step.');
    expect(unknown.status).toBe(1);
    writeFileSync(join(folder, 'rotary/tokenizer.json'), '{');
    const damaged = run('--from', 'rotary', '--to', 'onnx', '--out', 'refused');
    expect(damaged.stderr).toContain('tokenizer.json is damaged (it is not JSON)');
    expect(existsSync(join(folder, 'refused'))).toBe(false);
    writeFileSync(join(folder, 'rotary/tokenizer.json'), JSON.stringify(new ByteTokenizer({ mask: true })));
  });
});

describe('performers export --to huggingface', () => {
  it("writes the library's names", () => {
    const { status, stderr } = run('--from', 'decoder', '--to', 'huggingface', '--out', 'hub');
    expect(stderr).toContain('Saved to hub.');
    expect(status).toBe(0);
    expect(read('hub', 'config.json')).toMatchObject({ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] });
    const { tensors } = decodeSafetensors(readFileSync(join(folder, 'hub/model.safetensors')), 'model.safetensors');
    expect(tensors.get('transformer.h.1.attn.c_attn.weight')?.shape).toEqual([30, 90]);
    expect(existsSync(join(folder, 'hub/tokenizer.json'))).toBe(true);
  });

  it('refuses what the library lacks, and options of the other format', () => {
    const rotary = run('--from', 'rotary', '--to', 'huggingface', '--out', 'refused');
    expect(rotary.stderr).toMatch(/no counterpart .* positions: learned/);
    const graphs = run('--from', 'decoder', '--to', 'huggingface', '--out', 'refused', '--graphs', 'step');
    expect(graphs.stderr).toContain('--to huggingface does not take --graphs: leave them out, or export --to onnx.');
    expect(existsSync(join(folder, 'refused'))).toBe(false);
  });
});
