// A model that writes in a worker thread, so that the main thread stays free. Text arrives piece by piece, and the main
// thread stops the worker when enough has come. In a browser the same messages go through a Web Worker. Run: node
// examples/stream-in-worker.ts (Node 22.18 or newer, after `npm run build`).
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createBackend, streamText, Transformer } from 'performers';
import { ByteTokenizer } from 'performers/tokenizers';

if (isMainThread) main();
else await work(workerData.prompt);

function main(): void {
  const worker = new Worker(new URL(import.meta.url), { workerData: { prompt: 'Once upon a time ' } });
  let [pieces, characters, ticks] = [0, 0, 0];
  const timer = setInterval(() => ticks++, 5);
  worker.on('message', (message: { piece?: string; done?: boolean }) => {
    if (message.piece !== undefined) {
      pieces++;
      characters += message.piece.length;
      if (characters >= 100) worker.postMessage('stop');
    } else {
      clearInterval(timer);
      console.log(
        `${pieces} pieces, ${characters} characters; the main thread was ${ticks > 0 ? 'free' : 'busy'} meanwhile`,
      );
      void worker.terminate();
    }
  });
}

async function work(prompt: string): Promise<void> {
  const stop = new AbortController();
  parentPort!.on('message', () => stop.abort());
  const backend = await createBackend({ numThreads: 1 });
  const tokenizer = new ByteTokenizer();
  // A fresh model writes noise; loadModel(backend, 'runs/mine') reads one that was trained.
  const model = new Transformer(backend, {
    ...{
      vocabSize: tokenizer.vocabSize,
      dModel: 64,
      numLayers: 2,
      numHeads: 2,
      dFeedForward: 128,
      positions: 'rotary',
    },
    attention: { type: 'favor', numFeatures: 64 },
  });
  for await (const piece of streamText(model, tokenizer, prompt, { maxTokens: 5000, signal: stop.signal })) {
    parentPort!.postMessage({ piece });
  }
  backend.close();
  parentPort!.postMessage({ done: true });
}
