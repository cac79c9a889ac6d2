// An app of CommonJS modules.
import performers = require('performers');
import tokenizers = require('performers/tokenizers');

async function main(): Promise<void> {
  const backend = await performers.createBackend();
  const x = performers.tensor(backend, [1, 2, 3], [3]);
  console.log(`${(await x.data()).join(' ')} ${new tokenizers.ByteTokenizer().encode('A')}`);
  backend.close();
}

main();
