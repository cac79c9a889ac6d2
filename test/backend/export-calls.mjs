// Valid arguments of every export, and a call of each: fuzz-calls.mjs makes them wrong. A new export without an entry fails there.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const golden = (path) => fileURLToPath(new URL(`../golden/${path}`, import.meta.url));

/** Exports that are not called, with reasons. */
export const notCalled = {
  ...Object.fromEntries(
    [
      ...[
        'SEQUENCE_COLUMNS',
        'featureMapKinds',
        'projectionForms',
        'projectionKinds',
        'activations',
        'streams',
        'datasetFormats',
      ],
      ...['dividedRows', 'transformerPresets', 'onnxGraphKinds', 'sequenceOutputs', 'conversionLadder'],
      ...['softmaxEstimators', 'companionsFile', 'usualFraction'],
    ].map((name) => [name, 'is a value']),
  ),
  ...Object.fromEntries(
    [
      ...['attentionSchema', 'featureSchema', 'transformerSchema', 'encoderDecoderSchema'],
      'trainingSchema',
      'splitSchema',
    ].map((name) => [name, 'is a schema of zod, for parseConfiguration']),
  ),
  ...Object.fromEntries(
    [
      ...['PerformersError', 'ShapeError', 'ConfigurationError', 'DataError', 'FileError', 'NetworkError'],
      ...['LifetimeError', 'OutOfMemoryError', 'PlatformError'],
    ].map((name) => [name, 'is a class of errors']),
  ),
  ...Object.fromEntries(['commandLine', 'isCheckout'].map((name) => [name, 'takes nothing'])),
};

/** Methods that are not called, whatever their class. */
export const methodsNotCalled = {
  is: 'takes anything and answers true or false',
  ...Object.fromEntries(
    ['encodePlain', 'encodeBytes', 'encodePiece', 'encodeSections', 'join', 'modelToJson', 'insert'].map((name) => [
      name,
      'is not public in TypeScript',
    ]),
  ),
};

/** Exports whose last object may hold unknown keys, by reason. */
export const takesData = new Set(
  Object.values({
    'is sizes, all of them needed: an object that has more, such as a layer or a state, will do': [
      ...[
        'snapshotsLength',
        'farSnapshotsLength',
        'createAttention',
        'LshAttention',
        'LinformerAttention',
        'imagePatches',
      ],
      ...['FavorAttention.createState', 'LshAttention.createState', 'FavorState', 'FavorState.empty', 'KeyValueCache'],
    ],
    'is what another export gave': [
      ...['formatReport', 'Random.from', 'maskedEvaluation', 'maskedTraining', 'softmaxKernel', 'onnxCompanions'],
      ...['regularisedSoftmaxKernel', 'expectedKernel', 'meanSquaredError', 'orthogonalGain', 'restoreModel'],
      ...['dataFingerprint', 'checkTokenizer', 'checkObjective', 'objectiveLoss', 'checkTeacher', 'Distillation'],
      ...['classLabels', 'classNames', 'tokenizerFiles', 'heldOutBatches', 'trainingBatches'],
    ],
    'is a batch or a record, to which the caller may add': [
      ...['Masking.apply', 'batchOptions', 'Distillation.teach', 'GroupSplit.partOf', 'BadRecords.add'],
    ],
    'is the contents of a file of other programs, or a graph': [
      ...['parseCompanions', 'unchangedCompanions', 'keptConfig', 'encodeOnnx', 'loadTokenizer'],
      ...['loadAnyTokenizer', 'loadForeignTokenizer'],
    ],
    'is parts of which a model or tokenizer is made, all of them needed': [
      ...['Block', 'BpeTokenizer', 'CharacterTokenizer', 'UnigramTokenizer'],
    ],
    'is a saved state or the metadata of a file, refused in words of their own': [
      ...['FavorState.restore', 'KeyValueCache.restore', 'parseSavedState', 'savedStateToJson', 'encodeSafetensors'],
      ...['FavorAttention.restoreState', 'LshAttention.restoreState'],
    ],
  }).flat(),
);

/** Name → [valid arguments, call]; `Class.method` for methods. */
export async function exportCalls({ library, backend, tensorOf, idsOf }) {
  const folder = mkdtempSync(join(tmpdir(), 'performers-fuzz-'));
  // Relative paths that are made up lead here.
  process.chdir(folder);
  let numFresh = 0;
  const fresh = () => join(folder, `new-${numFresh++}`);
  const file = (name, text) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  const size = { vocabSize: 5, dModel: 4, numLayers: 1, numHeads: 2, dFeedForward: 4, maxLength: 6 };
  const model = new library.Transformer(backend, { ...size, numClasses: 2 });
  const exact = new library.Transformer(backend, { ...size, numClasses: 2, attention: 'exact' });
  const translator = new library.EncoderDecoder(backend, {
    ...{ sourceVocabSize: 5, targetVocabSize: 5, dModel: 4, numEncoderLayers: 1, numDecoderLayers: 1, numHeads: 2 },
    dFeedForward: 4,
  });
  // Converted by what is called with the model.
  const exactModel = () => new library.Transformer(backend, exact.configuration);
  const four = () => tensorOf(1, 2, 3, 4);
  const bytes = new library.ByteTokenizer();
  const characters = await library.trainCharacters(['abcd']);
  const text = 'the first line\nthe second line\n'.repeat(20);
  const textFile = file('text.txt', text);
  const saved = join(folder, 'saved');
  const texts = () => ['one two', 'three four', 'five six'];
  const split = () => ({ by: 'tail', fraction: 0.4 });
  const tokens = (await library.fromTexts([text, text], bytes, split())).train;
  const byteModel = new library.Transformer(backend, { ...size, vocabSize: bytes.vocabSize });
  await library.saveModel(saved, byteModel, { tokenizer: JSON.stringify(bytes) });
  const batch = () => ({
    ...{ batchSize: 1, length: 2, inputs: Int32Array.of(1, 2), targets: Int32Array.of(2, 3) },
  });
  const batches = () => [batch()];
  const measured = () => [{ input: Int32Array.of(1, 2, 3), shape: [1, 3], options: {} }];
  const training = library.parseTrainingConfiguration({ steps: 1, batchSize: 1, length: 2, warmupSteps: 0 });
  const trainer = () => ({ model, data: { batchAt: () => batch() }, configuration: training });
  const learner = new library.Trainer(trainer());
  const configuration = library.transformerSchema.parse({ ...size, attention: 'exact', positions: 'learned' });
  const gpt2 = new library.Transformer(backend, {
    ...{ vocabSize: 11, dModel: 12, numLayers: 1, numHeads: 3, dFeedForward: 48, maxLength: 24, positions: 'learned' },
    attention: 'exact',
  });
  const exported = await library.exportHuggingFace(gpt2);
  const pretrained = await library.readHuggingFace(exported);
  const weights = await library.readWeights(model);
  const decoder = new library.Decoder(model);
  await decoder.feed([1]);
  const states = await decoder.save();
  const dataset = await library.openDataset({ data: [textFile] });
  const random = () => new library.Random(1);
  const sizes = { batch: 1, heads: 2, dHead: 2, dValue: 2 };
  const layer = { numHeads: 2, dHead: 4, maxLength: 6 };
  const attention = (type, more = {}) => library.attentionSchema.parse({ type, ...more });
  const favor = library.createAttention(backend, attention('favor', { numFeatures: 4 }), layer, random());
  const lsh = library.createAttention(backend, attention('lsh', { chunkLength: 2 }), layer, random());
  const linformer = library.createAttention(backend, attention('linformer', { projectedLength: 2 }), layer, random());
  const cache = () => new library.KeyValueCache(backend, sizes);
  const favorState = () => library.FavorState.empty(backend, sizes, 3);
  const one = () => tensorOf(1, 1, 2, 4);
  const shared = () => {
    const queries = four();
    return [queries, queries, four(), { causal: true }];
  };
  const made =
    (Class) =>
    (...args) =>
      new Class(...args).dispose();
  const drawn = () => ({ random: random() });
  const feedForward = () => new library.FeedForward(backend, { dModel: 4, dFeedForward: 6 }, drawn());
  const heads = () => new library.MultiHeadAttention(backend, { dModel: 4, numHeads: 2 }, { type: 'exact' }, drawn());
  const parts = () => ({
    ...{ attentionNorm: new library.LayerNorm(backend, 4), attention: heads() },
    ...{ feedForwardNorm: new library.LayerNorm(backend, 4), feedForward: feedForward() },
  });
  const pauses = () => new library.Pauses();
  const pieces = function* () {
    yield;
  };
  const layers = {
    Module: () => new library.Module(),
    Linear: () => new library.Linear(backend, 3, 2, drawn()),
    LayerNorm: () => new library.LayerNorm(backend, 3),
    Embedding: () => new library.Embedding(backend, 5, 3, drawn()),
    FeedForward: feedForward,
    MultiHeadAttention: heads,
    Block: () => new library.Block(parts()),
  };
  const small = () => new library.AdamW(new Map([['weight', tensorOf(2, 3)]]));
  const bad = () => new library.BadRecords();
  const fasta = file('a.fa', '>sp|P1|N OS=One\nMKVL\n');
  const jsonl = file('a.jsonl', '{"text":"abc"}\n');
  const folderOfTexts = join(folder, 'labelled');
  for (const name of ['train/a', 'train/b']) {
    mkdirSync(join(folderOfTexts, name), { recursive: true });
    writeFileSync(join(folderOfTexts, name, '1.txt'), 'abc');
  }
  const books = join(folder, 'books');
  mkdirSync(join(books, 'train'), { recursive: true });
  writeFileSync(join(books, 'train', '1.txt'), text);
  const folderOfImages = join(folder, 'images');
  mkdirSync(folderOfImages);
  writeFileSync(join(folderOfImages, 'a.png'), '');
  const labelledTexts = () => [
    { text: 'abc', label: 0 },
    { text: 'bcd', label: 1 },
  ];
  const labelled = (await library.fromTexts(labelledTexts(), bytes, { by: 'none' })).train;
  const rows = () => ({ batchSize: 1, length: 4 });
  const vocabulary = () => ({ specials: new Map(), specialTokens: {}, vocabSize: 257 });
  const masking = () => ({ mask: 4, vocabSize: 5, seed: 1 });
  const estimator = () => ({ featureMap: { type: 'positive' }, projection: 'gaussian', numFeatures: 4 });
  const pair = () => library.pairOf([1, 2], [2, 1]);
  const listOps = () => ({ seed: 1, maxDepth: 2, maxArguments: 3, minLength: 2, maxLength: 90 });
  const onnx = await library.exportOnnx(model);
  const report = await library.approximationReport(four(), four(), four(), { features: { numFeatures: 4 } });
  const modelFiles = await library.loadModelFiles(saved);
  const teacher = () => [
    model,
    { attentionWeight: 1, logitsWeight: 1, hiddenWeight: 0, temperature: 1, taskWeight: 1 },
    { type: 'nextToken' },
  ];
  const uniProt = file('a.dat', 'ID   A_B   Unreviewed;   4 AA.\nAC   P1; \nSQ   SEQUENCE   4 AA;\n     MKVL\n//\n');
  const wikipedia = file(
    'a.xml',
    '<mediawiki><page><title>A</title><ns>0</ns><id>1</id><revision><text>abc</text></revision></page></mediawiki>',
  );
  // Nothing is in the cache, and nothing answers there.
  process.env.HF_ENDPOINT = 'http://127.0.0.1:9';
  const cached = (fetch) => (name, options) =>
    fetch(name, options).catch((error) => {
      if (name !== 'hf://datasets/a/b' || !(error instanceof library.DataError)) throw error;
    });
  let checkpoint;
  for await (const event of library.train({ ...trainer(), out: fresh(), dataFingerprint: 'a' })) {
    if (event.kind === 'checkpoint') checkpoint = event.directory;
  }
  const windows = () => library.evaluationWindows(tokens, rows());

  const calls = {
    tensor: [() => [backend, [1, 2], [2], 'int32'], library.tensor],
    'Tensor.own': [() => [backend, backend.allocate(6), [2, 3]], library.Tensor.own],
    'Tensor.empty': [() => [backend, [2, 3], 'float32'], library.Tensor.empty],
    'Tensor.zeros': [() => [backend, [2, 3]], library.Tensor.zeros],
    'Tensor.view': [() => [[3, 2]], (...args) => tensorOf(2, 3).view(...args)],
    keep: [() => [tensorOf(2)], library.keep],
    scope: [() => [() => 1], library.scope],
    'ops.activation': [() => [tensorOf(2, 3), 'gelu'], library.ops.activation],
    ...Object.fromEntries(
      ['add', 'subtract', 'multiply', 'divide'].map((name) => [
        `ops.${name}`,
        [() => [tensorOf(2, 1, 3), tensorOf(2, 1)], library.ops[name]],
      ]),
    ),
    'ops.where': [() => [tensorOf(2, 1), tensorOf(2, 3), tensorOf(3)], library.ops.where],
    'ops.exp': [() => [tensorOf(2, 3)], library.ops.exp],
    'ops.log': [() => [tensorOf(2, 3)], library.ops.log],
    'ops.scale': [() => [tensorOf(2, 3), 2], library.ops.scale],
    'ops.embedding': [() => [tensorOf(4, 3), idsOf(0, 3)], library.ops.embedding],
    'ops.layerNorm': [() => [tensorOf(2, 3), tensorOf(3), tensorOf(3), 1e-5], library.ops.layerNorm],
    'ops.linear': [() => [tensorOf(2, 3), tensorOf(4, 3), tensorOf(4)], library.ops.linear],
    'ops.matmul': [() => [tensorOf(2, 3), tensorOf(2, 3, 4), { transposeA: false }], library.ops.matmul],
    'ops.reshape': [() => [tensorOf(2, 3), [3, 2]], library.ops.reshape],
    'ops.permute': [() => [tensorOf(1, 2, 3), [2, 0, 1]], library.ops.permute],
    'ops.slice': [() => [tensorOf(2, 3), 1, 1, 3], library.ops.slice],
    'ops.concatenate': [() => [[tensorOf(2, 3), tensorOf(1, 3)], 0], library.ops.concatenate],
    'ops.broadcastTo': [() => [tensorOf(3, 1), [2, 3, 2]], library.ops.broadcastTo],
    'ops.sum': [() => [tensorOf(2, 3), { axes: [1], keepDims: true }], library.ops.sum],
    'ops.mean': [() => [tensorOf(2, 3), { axes: [0] }], library.ops.mean],
    'ops.weightedSum': [() => [tensorOf(1, 2, 3), tensorOf(1, 2)], library.ops.weightedSum],
    'ops.softmax': [() => [tensorOf(2, 3), { axis: 0 }], library.ops.softmax],
    'ops.logSoftmax': [() => [tensorOf(2, 3), { axis: 1 }], library.ops.logSoftmax],
    'ops.crossEntropy': [() => [tensorOf(1, 2, 5), idsOf(0, 3)], library.ops.crossEntropy],
    'ops.squaredError': [() => [tensorOf(2, 3), tensorOf(2, 3), 0.5], library.ops.squaredError],
    valueAndGradients: [
      () => [() => model.forward(idsOf(1, 2)), [...model.parameters().values()]],
      library.valueAndGradients,
    ],
    createBackend: [() => [{ backend: 'reference', numThreads: 1 }], library.createBackend, (made) => made.close()],
    exponentialEstimator: [() => [4], library.exponentialEstimator],
    snapshotsLength: [
      () => [{ heads: 2, lengthQ: 3, lengthK: 3, dHead: 4, dValue: 4, layout: 'bhld', numSequences: 1 }, 4],
      library.snapshotsLength,
    ],
    farSnapshotsLength: [
      () => [{ heads: 2, lengthQ: 3, lengthK: 3, dHead: 4, dValue: 4, layout: 'bhld', numSequences: 1 }, 4, 8],
      library.farSnapshotsLength,
    ],
    pause: [() => [], library.pause],
    Pauses: [() => [new AbortController().signal], (...args) => new library.Pauses(...args)],
    inSteps: [() => [pieces(), pauses()], library.inSteps],
    'Pauses.next': [() => [], () => new library.Pauses().next()],
    messageOf: [() => [new Error('x')], library.messageOf],
    parseConfiguration: [() => [library.transformerSchema, size, 'here'], library.parseConfiguration],

    exactAttention: [() => [four(), four(), four(), { causal: true, segments: [[0, 0, 1]] }], library.exactAttention],
    favorAttention: [
      () => [four(), four(), four(), { causal: true, features: { numFeatures: 4 } }],
      library.favorAttention,
    ],
    lshAttention: [
      () => [four(), four(), { rotations: tensorOf(1, 2, 4), chunkLength: 2, numBuckets: 2 }],
      library.lshAttention,
    ],
    linformerAttention: [
      () => [four(), four(), four(), { keyProjection: tensorOf(2, 6), valueProjection: tensorOf(2, 6) }],
      library.linformerAttention,
    ],
    drawFeatures: [() => [backend, 4, { numFeatures: 4, seed: 1 }], library.drawFeatures],
    createAttention: [() => [backend, attention('exact'), { ...layer }, random()], library.createAttention],
    crossoverLength: [() => ['native', 64, true], library.crossoverLength],
    FavorAttention: [
      () => [backend, { ...attention('favor', { numFeatures: 4 }) }, 4, random()],
      (...args) => new library.FavorAttention(...args).dispose(),
    ],
    'FavorAttention.attend': [() => [four(), four(), four(), { causal: true }], (...args) => favor.attend(...args)],
    'FavorAttention.createState': [() => [{ ...sizes }], (...args) => favor.createState(...args)],
    'FavorAttention.stateAfter': [() => [four(), four(), 2], (...args) => favor.stateAfter(...args)],
    'FavorAttention.extend': [
      () => [one(), one(), one(), favor.createState({ ...sizes, dHead: 4, dValue: 4 })],
      (...args) => favor.extend(...args),
    ],
    'FavorAttention.stackStates': [
      () => [[favor.createState(sizes), favor.createState(sizes)]],
      (...args) => favor.stackStates(...args),
    ],
    'FavorAttention.redraw': [() => [random()], (...args) => favor.redraw(...args)],
    LshAttention: [
      () => [backend, attention('lsh', { chunkLength: 2 }), { ...layer }, random()],
      (...args) => new library.LshAttention(...args).dispose(),
    ],
    'LshAttention.attend': [shared, (...args) => lsh.attend(...args)],
    'LshAttention.createState': [() => [{ ...sizes }], (...args) => lsh.createState(...args)],
    LinformerAttention: [
      () => [backend, attention('linformer', { projectedLength: 2 }), { ...layer }, random()],
      (...args) => new library.LinformerAttention(...args).dispose(),
    ],
    'LinformerAttention.attend': [() => [four(), four(), four(), {}], (...args) => linformer.attend(...args)],
    FavorState: [() => [backend, { ...sizes }, 3, [0]], (...args) => new library.FavorState(...args)],
    'FavorState.empty': [() => [backend, { ...sizes }, 3], library.FavorState.empty],
    'FavorState.advance': [() => [1], (...args) => favorState().advance(...args)],
    'FavorState.slice': [() => [0, 1], (...args) => favorState().slice(...args)],
    'FavorState.stack': [() => [[favorState(), favorState()]], (...args) => library.FavorState.stack(...args)],
    'FavorState.restore': [() => [backend, { ...states[0] }], (...args) => library.FavorState.restore(...args)],
    KeyValueCache: [() => [backend, { ...sizes }, 4], (...args) => new library.KeyValueCache(...args)],
    'KeyValueCache.append': [() => [tensorOf(1, 3, 2, 2), tensorOf(1, 3, 2, 2)], (...args) => cache().append(...args)],
    'KeyValueCache.slice': [() => [0, 1], (...args) => cache().slice(...args)],
    'KeyValueCache.stack': [() => [[cache(), cache()]], (...args) => library.KeyValueCache.stack(...args)],
    'KeyValueCache.restore': [
      async () => [backend, await cache().save()],
      (...args) => library.KeyValueCache.restore(...args),
    ],
    parseSavedState: [() => [library.savedStateToJson(states[0])], library.parseSavedState],
    savedStateToJson: [() => [{ ...states[0] }], library.savedStateToJson],
    smallestNumFeatures: [
      () => [four(), four(), four(), { error: 0.5, maxNumFeatures: 16 }],
      library.smallestNumFeatures,
    ],
    approximationReport: [
      () => [four(), four(), four(), { features: { numFeatures: 4 } }],
      library.approximationReport,
    ],
    formatReport: [() => [report], library.formatReport],
    attentionRows: [() => [four(), four(), [0, 2], {}], library.attentionRows],
    topKeys: [() => [four(), four(), 1, 2, {}], library.topKeys],
    paddedSegments: [() => [[2, 3], 4], library.paddedSegments],

    Random: [() => [1, 2], (...args) => new library.Random(...args)],
    'Random.from': [() => [random().state], (...args) => library.Random.from(...args)],
    'Random.fork': [() => [2], (...args) => random().fork(...args)],
    'Random.integer': [() => [2], (...args) => random().integer(...args)],
    targetCounts: [() => [batches(), 5, {}], library.targetCounts],
    empiricalBaseline: [() => [new Float64Array(5).fill(1), batches(), {}], library.empiricalBaseline],
    orderKModel: [() => ['abab', 'ab', 1], library.orderKModel],
    evaluationExamples: [() => [{ ...labelled }, rows()], library.evaluationExamples],
    trainingExamples: [() => [{ ...labelled }, { ...rows(), seed: 1 }], library.trainingExamples],
    Masking: [() => [masking()], (...args) => new library.Masking(...args)],
    'Masking.apply': [() => [batch(), 0], (...args) => new library.Masking(masking()).apply(...args)],
    maskedEvaluation: [() => [windows(), new library.Masking(masking()), 1], library.maskedEvaluation],
    maskedTraining: [
      () => [library.trainingWindows(tokens, { ...rows(), seed: 1 }), new library.Masking(masking())],
      library.maskedTraining,
    ],
    evaluationSequences: [() => [tokens, { ...rows(), packing: 'pack' }], library.evaluationSequences],
    trainingSequences: [() => [tokens, { ...rows(), packing: 'pad', seed: 1 }], library.trainingSequences],
    evaluationWindows: [() => [tokens, rows()], library.evaluationWindows],
    trainingWindows: [() => [tokens, { ...rows(), seed: 1 }], library.trainingWindows],
    GroupSplit: [
      () => [{ by: 'group', fraction: 0.5, seed: 1 }],
      (...args) => new library.GroupSplit(...args).partOf({ group: 'a' }),
    ],
    'GroupSplit.partOf': [
      () => [{ group: 'a' }],
      (...args) => new library.GroupSplit({ by: 'group', fraction: 0.5 }).partOf(...args),
    ],
    partOfGroup: [() => ['a', { by: 'group', fraction: 0.5, seed: 1 }], library.partOfGroup],
    'BadRecords.add': [() => [{ file: 'a', line: 1, reason: 'b' }], (...args) => bad().add(...args)],
    'BadRecords.of': [() => [1, [{ file: 'a', line: 1, reason: 'b' }]], library.BadRecords.of],
    stripGutenberg: [() => [text], library.stripGutenberg],
    wikitextToText: [() => ["'''a'''", {}], library.wikitextToText],
    evaluateListOps: [() => [library.parseListOps('[MAX 1 2 ]')], library.evaluateListOps],
    listOpsExample: [() => [1, listOps()], library.listOpsExample],
    listOpsExamples: [() => [{ ...listOps(), count: 2 }], library.listOpsExamples],
    listOpsLetters: [() => [library.parseListOps('[MAX 1 2 ]')], library.listOpsLetters],
    listOpsText: [() => [library.parseListOps('[MAX 1 2 ]')], library.listOpsText],
    parseListOps: [() => ['[MAX 1 2 ]'], library.parseListOps],
    listOpsTokenizer: [() => [{}], library.listOpsTokenizer],
    fromTexts: [() => [labelledTexts(), bytes, split(), { maxLength: 4 }], library.fromTexts],

    pairOf: [
      () => [
        [1, 2],
        [2, 1],
      ],
      library.pairOf,
    ],
    pairAtAngle: [() => [4, 1, 1], library.pairAtAngle],
    softmaxKernel: [() => [pair()], library.softmaxKernel],
    regularisedSoftmaxKernel: [() => [pair()], library.regularisedSoftmaxKernel],
    expectedKernel: [() => [estimator(), pair()], library.expectedKernel],
    meanSquaredError: [() => [estimator(), pair()], library.meanSquaredError],
    orthogonalGain: [() => [4, pair()], library.orthogonalGain],
    measureP: [() => [new Float32Array(8), new Float32Array(8), 4], library.measureP],
    optimalA: [() => [0.5], library.optimalA],
    drawProjection: [() => [{ kind: 'gaussian', directions: 4, dHead: 4 }, random()], library.drawProjection],

    Transformer: [() => [backend, { ...size }, 1, {}], (...args) => new library.Transformer(...args).dispose()],
    'Transformer.forward': [() => [idsOf(1, 2), { segments: [[0, 0]] }], (...args) => model.forward(...args)],
    'Transformer.attentionInputs': [() => [idsOf(1, 2), {}], (...args) => model.attentionInputs(...args)],
    'Transformer.extend': [() => [idsOf(1, 2), model.createStates()], (...args) => model.extend(...args)],
    'Transformer.advance': [() => [idsOf(1, 2), model.createStates()], (...args) => model.advance(...args)],
    'Transformer.logits': [() => [tensorOf(1, 2, 4)], (...args) => model.logits(...args)],
    'Transformer.pool': [() => [tensorOf(1, 2, 4), {}], (...args) => model.pool(...args)],
    'Transformer.classify': [() => [tensorOf(1, 2, 4), {}], (...args) => model.classify(...args)],
    'Transformer.createStates': [() => [2], (...args) => model.createStates(...args)],
    'Transformer.stackStates': [
      () => [[model.createStates(), model.createStates()]],
      (...args) => model.stackStates(...args),
    ],
    // Every attention that decodes keeps states of its own.
    ...Object.fromEntries(
      ['exact', 'auto', 'lsh'].flatMap((type) => {
        const own = new library.Transformer(backend, {
          ...size,
          attention: { type, ...(type === 'lsh' ? { chunkLength: 2 } : {}) },
        });
        return [
          [`Transformer.extend, ${type}`, [() => [idsOf(1, 2), own.createStates()], (...args) => own.extend(...args)]],
          [
            `Transformer.stackStates, ${type}`,
            [() => [[own.createStates(), own.createStates()]], (...args) => own.stackStates(...args)],
          ],
        ];
      }),
    ),
    'Transformer.redraw': [() => [1, 2], (...args) => model.redraw(...args)],
    'Transformer.replaceAttention': [
      () => [{ attention: 'exact' }, 1],
      (...args) => {
        const other = new library.Transformer(backend, size);
        other.replaceAttention(...args);
        other.dispose();
      },
    ],
    EncoderDecoder: [
      () => [backend, { ...translator.configuration }, 1],
      (...args) => new library.EncoderDecoder(...args).dispose(),
    ],
    'EncoderDecoder.encode': [() => [idsOf(1, 2), {}], (...args) => translator.encode(...args)],
    'EncoderDecoder.decode': [() => [idsOf(1, 2), tensorOf(1, 2, 4), {}], (...args) => translator.decode(...args)],
    'EncoderDecoder.logits': [() => [tensorOf(1, 2, 4)], (...args) => translator.logits(...args)],
    'EncoderDecoder.createStates': [() => [tensorOf(1, 2, 4)], (...args) => translator.createStates(...args)],
    'EncoderDecoder.extend': [
      () => [idsOf(1), translator.createStates(tensorOf(1, 2, 4))],
      (...args) => translator.extend(...args),
    ],
    'EncoderDecoder.redraw': [() => [1, 2], (...args) => translator.redraw(...args)],
    Decoder: [() => [model, states], (...args) => new library.Decoder(...args).dispose()],
    'Decoder.feed': [() => [[1, 2], {}], (...args) => new library.Decoder(model).feed(...args)],
    Module: [() => [], () => new library.Module().dispose()],
    Linear: [() => [backend, 3, 2, { random: random(), deviation: 0.1 }], made(library.Linear)],
    'Linear.forward': [
      () => [tensorOf(2, 3)],
      (...args) => new library.Linear(backend, 3, 2, drawn()).forward(...args),
    ],
    LayerNorm: [() => [backend, 3, { epsilon: 1e-5 }], made(library.LayerNorm)],
    'LayerNorm.forward': [() => [tensorOf(2, 3)], (...args) => new library.LayerNorm(backend, 3).forward(...args)],
    Embedding: [() => [backend, 5, 3, { random: random() }], made(library.Embedding)],
    'Embedding.forward': [
      () => [idsOf(1, 2)],
      (...args) => new library.Embedding(backend, 5, 3, drawn()).forward(...args),
    ],
    FeedForward: [
      () => [backend, { dModel: 4, dFeedForward: 6, activation: 'relu' }, drawn()],
      made(library.FeedForward),
    ],
    'FeedForward.forward': [() => [tensorOf(2, 4)], (...args) => feedForward().forward(...args)],
    MultiHeadAttention: [
      () => [backend, { dModel: 4, numHeads: 2, rotary: true }, { type: 'favor', numFeatures: 3 }, drawn()],
      made(library.MultiHeadAttention),
    ],
    'MultiHeadAttention.forward': [() => [tensorOf(1, 3, 4), { causal: true }], (...args) => heads().forward(...args)],
    Block: [() => [parts(), 'post'], made(library.Block)],
    'Block.forward': [
      () => [tensorOf(1, 3, 4), { causal: true }, library.Dropout.off],
      (...args) => new library.Block(parts()).forward(...args),
    ],
    Dropout: [() => [0.5, [1, 2]], (...args) => new library.Dropout(...args).forward(tensorOf(2))],
    'Dropout.forward': [() => [tensorOf(2)], (...args) => new library.Dropout(0.5, [1, 2]).forward(...args)],
    classificationLoss: [
      () => [model, idsOf(1, 2), library.tensor(backend, Int32Array.of(1), [1]), {}],
      library.classificationLoss,
    ],
    languageModelLoss: [() => [model, idsOf(1, 2), idsOf(2, 3), {}], library.languageModelLoss],
    translationLoss: [() => [translator, idsOf(1, 2), idsOf(1, 2), idsOf(2, 3), {}], library.translationLoss],
    generate: [() => [model, [1, 2], { maxTokens: 2 }], library.generate],
    streamText: [() => [byteModel, bytes, 'abc', { maxTokens: 2 }], library.streamText],
    translate: [() => [translator, [1, 2], { start: 1, stop: 2, maxTokens: 2 }], library.translate],
    sampleToken: [() => [[1, 2, 3], { topK: 2, topP: 0.5, temperature: 1 }, random()], library.sampleToken],
    imagePatches: [() => [new Float32Array(16), { imageSize: 4, patchSize: 2, channels: 1 }], library.imagePatches],

    onnxCompanions: [() => [model.configuration, {}, onnx, {}], library.onnxCompanions],
    exportOnnx: [() => [model, {}], library.exportOnnx],
    onnxChoices: [() => [model.configuration, {}], library.onnxChoices],
    encodeOnnx: [() => [{ name: 'g', nodes: [], inputs: [], outputs: [] }, 'a.data', 100], library.encodeOnnx],
    balanceAttention: [() => [exactModel(), measured(), {}], library.balanceAttention],
    compareModels: [() => [model, exact, measured(), {}], library.compareModels],
    conversionReport: [
      () => [exactModel(), measured(), { numFeatures: [4], estimators: ['positive'], maxRows: 2 }],
      library.conversionReport,
    ],
    createPretrained: [
      () => [backend, pretrained, { attention: 'exact', seed: 1 }],
      library.createPretrained,
      (made) => made.dispose(),
    ],
    exportHuggingFace: [() => [gpt2, { tokenizer: bytes }], library.exportHuggingFace],
    tokenizerFiles: [() => [bytes, configuration, {}], library.tokenizerFiles],
    readHuggingFace: [() => [exported, { maxLength: 8 }], library.readHuggingFace],
    classLabels: [() => [{}, model.configuration], library.classLabels],
    classNames: [() => [{}, model.configuration], library.classNames],
    keptConfig: [() => [{}], library.keptConfig],
    parseCompanions: [() => [{}, 'here'], library.parseCompanions],
    unchangedCompanions: [() => [{}], library.unchangedCompanions],
    filesInMemory: [() => [exported, 'here'], library.filesInMemory],
    decodeSafetensors: [() => [exported.get('model.safetensors'), 'here'], library.decodeSafetensors],
    encodeSafetensors: [() => [weights, { format: 'pt' }], library.encodeSafetensors],
    loadWeights: [() => [model, weights, 'here'], library.loadWeights],
    readWeights: [() => [model, {}], library.readWeights],

    ByteTokenizer: [() => [{}], (...args) => new library.ByteTokenizer(...args)],
    BpeTokenizer: [
      () => [{ tokens: byteTokens(), merges: [], added: [] }],
      (...args) => new library.BpeTokenizer(...args),
    ],
    CharacterTokenizer: [
      () => [{ tokens: ['a', 'b', '?'], unknown: 2, added: [] }],
      (...args) => new library.CharacterTokenizer(...args),
    ],
    UnigramTokenizer: [() => [scored()], (...args) => new library.UnigramTokenizer(...args)],
    ...Object.fromEntries(
      [
        ['ByteTokenizer', bytes],
        ['CharacterTokenizer', characters],
        ['ProteinTokenizer', new library.ProteinTokenizer()],
        ['PixelTokenizer', new library.PixelTokenizer()],
        ['BpeTokenizer', new library.BpeTokenizer({ tokens: byteTokens(), merges: [], added: [] })],
        ['UnigramTokenizer', new library.UnigramTokenizer(scored())],
      ].flatMap(([name, tokenizer]) =>
        Object.entries({
          ...{ encode: ['a'], decode: [[1, 2]], bytesOf: [1], decodeStream: [], toJSON: [] },
        }).map(([method, args]) => [
          `${name}.${method}`,
          [() => structuredClone(args), (...given) => tokenizer[method](...given)],
        ]),
      ),
    ),
    loadForeignTokenizer: [() => [JSON.parse(JSON.stringify(bytes)), 'here'], library.loadForeignTokenizer],
    loadTokenizer: [() => [JSON.parse(JSON.stringify(bytes)), 'here'], library.loadTokenizer],
    loadAnyTokenizer: [() => [JSON.parse(JSON.stringify(bytes)), 'here'], library.loadAnyTokenizer],
    pixelText: [() => [Uint8Array.of(1, 2)], library.pixelText],
    segments: [() => [['a b', 'c d']], library.segments],
    segmentsOf: [() => ['a b c'], library.segmentsOf],
    trainBpe: [() => [texts(), { vocabSize: 260 }], library.trainBpe],
    trainCharacters: [() => [texts(), {}], library.trainCharacters],
    trainUnigram: [() => [texts(), { vocabSize: 260 }], library.trainUnigram],

    batchOptions: [() => [model, batch()], library.batchOptions],
    parseTrainingConfiguration: [() => [{ steps: 1 }, 'here'], library.parseTrainingConfiguration],
    checkTeacher: [
      () => [model.configuration, exact.configuration, { attentionWeight: 1, logitsWeight: 0, hiddenWeight: 0 }],
      library.checkTeacher,
    ],
    Distillation: [teacher, (...args) => new library.Distillation(...args)],
    'Distillation.teach': [() => [batch()], (...args) => new library.Distillation(...teacher()).teach(...args)],
    evaluate: [() => [model, batches(), {}], library.evaluate],
    checkObjective: [() => [{ type: 'nextToken' }, model.configuration], library.checkObjective],
    heldOutBatches: [() => [tokens, training, vocabulary(), 1], library.heldOutBatches],
    objectiveLoss: [() => [{ type: 'nextToken' }], library.objectiveLoss],
    trainingBatches: [() => [tokens, training, vocabulary()], library.trainingBatches],
    AdamW: [() => [model.parameters(), { weightDecay: 0.1, beta1: 0.9 }], made(library.AdamW)],
    'AdamW.step': [() => [[tensorOf(2, 3)], { learningRate: 0.1 }], (...args) => small().step(...args)],
    'AdamW.load': [async () => [await small().save(), 'here', 1], (...args) => small().load(...args)],
    globalNorm: [() => [[tensorOf(2, 3), tensorOf(3)]], library.globalNorm],
    learningRateAt: [
      () => [{ learningRate: 1, warmupSteps: 2, steps: 5, schedule: { kind: 'cosine', finalFraction: 0 } }, 3],
      library.learningRateAt,
    ],
    Trainer: [() => [trainer()], (...args) => new library.Trainer(...args).dispose()],
    'Trainer.step': [() => [{}], (...args) => learner.step(...args)],
    'Trainer.restore': [
      async () => [1, 1, await learner.saveOptimizer(), 'here'],
      (...args) => learner.restore(...args),
    ],

    // Of Node alone.
    explainWriteError: [() => [new Error('x'), 'a'], library.explainWriteError],
    brotliBitsPerCharacter: [() => ['abab', 'ab', {}], library.brotliBitsPerCharacter],
    openDataset: [() => [{ data: [textFile] }, {}], library.openDataset],
    datasetText: [() => [dataset, 'train', {}], library.datasetText],
    tokenizeDataset: [() => [dataset, bytes, { file: fresh() }], library.tokenizeDataset, (made) => made.close()],
    readFasta: [() => [fasta, bad(), {}], library.readFasta],
    imagePaths: [() => [folderOfImages], library.imagePaths],
    readImageFiles: [() => [[textFile], bad(), {}], library.readImageFiles],
    readJsonl: [() => [jsonl, bad(), {}], library.readJsonl],
    readLabelledFolder: [() => [join(folderOfTexts, 'train'), bad(), {}], library.readLabelledFolder],
    readText: [() => [textFile, bad(), {}], library.readText],
    readPg19: [() => [books, bad()], library.readPg19],
    readListOps: [() => [file('basic_train.tsv', 'Source\tTarget\n( [MAX 1 2 ] )\t2\n'), bad()], library.readListOps],
    expandPaths: [() => [['*.txt'], folder], library.expandPaths],
    openText: [() => [textFile], library.openText],
    readLabelledTable: [() => [file('table.tsv', 'text\tlabel\nabc\t0\n'), bad(), {}], library.readLabelledTable],
    readNpzImages: [() => [golden('images/stored.npz'), { size: 3 }], library.readNpzImages],
    readParquet: [() => [golden('parquet/snappy.parquet'), bad(), {}], library.readParquet],
    readUniProt: [() => [uniProt, bad(), {}], library.readUniProt],
    readWikipedia: [() => [wikipedia, bad(), {}], library.readWikipedia],
    fetchFromHub: [() => ['hf://datasets/a/b', { cacheDir: folder, offline: true }], cached(library.fetchFromHub)],
    loadCheckpoint: [() => [checkpoint, {}], library.loadCheckpoint],
    isHubName: [() => ['hf://a/b'], library.isHubName],
    tokensFingerprint: [() => [tokens, bytes.vocabSize, {}], library.tokensFingerprint],
    checkTokenizer: [() => [bytes, byteModel.configuration, 'here'], library.checkTokenizer],
    directoryFiles: [() => [saved], library.directoryFiles],
    loadModel: [() => [backend, saved, {}], library.loadModel, ({ model }) => model.dispose()],
    loadTransformer: [() => [backend, saved, {}], library.loadTransformer, ({ model }) => model.dispose()],
    restoreModel: [() => [backend, modelFiles, 'here'], library.restoreModel, (made) => made.dispose()],
    findCheckpoint: [() => [saved], library.findCheckpoint],
    isCheckpoint: [() => [saved], library.isCheckpoint],
    loadModelFiles: [() => [saved, {}], library.loadModelFiles],
    parseJson: [() => ['{}', 'here'], library.parseJson],
    readNewest: [() => [saved, async () => 1], library.readNewest],
    checkEmpty: [() => [fresh()], library.checkEmpty],
    saveFiles: [() => [fresh(), new Map([['a', 'b']]), {}], library.saveFiles],
    saveModel: [() => [fresh(), model, { tokenizer: '{}' }], library.saveModel],
    loadTeacher: [() => [backend, saved, {}], library.loadTeacher],
    lockRun: [() => [fresh()], library.lockRun, (made) => made.release()],
    dataFingerprint: [() => [{ fingerprint: 'a', train: tokens }, ['a']], library.dataFingerprint],
    train: [() => [{ ...trainer(), out: fresh(), dataFingerprint: 'a' }], library.train],
    'Tensor.data': [() => [], () => tensorOf(2, 3).data()],
    ...disposals({
      Tensor: () => tensorOf(2),
      Transformer: () => new library.Transformer(backend, size),
      EncoderDecoder: () => new library.EncoderDecoder(backend, translator.configuration),
      Decoder: () => new library.Decoder(model),
      FavorAttention: () => library.createAttention(backend, attention('favor', { numFeatures: 4 }), layer, random()),
      LshAttention: () => library.createAttention(backend, attention('lsh'), layer, random()),
      LinformerAttention: () => library.createAttention(backend, attention('linformer'), layer, random()),
      FavorState: favorState,
      KeyValueCache: cache,
      AdamW: small,
      Trainer: () => new library.Trainer(trainer()),
      ...layers,
    }),
    ...Object.fromEntries(
      Object.entries({ FavorState: favorState, KeyValueCache: cache }).flatMap(([name, make]) => [
        [`${name}.clone`, [() => [], () => make().clone()]],
        [`${name}.save`, [() => [], () => make().save()]],
      ]),
    ),
    ...Object.fromEntries(
      Object.entries({
        ...{ Transformer: () => model, EncoderDecoder: () => translator, ...layers },
        ...{ LshAttention: () => lsh, LinformerAttention: () => linformer, FavorAttention: () => favor },
      }).flatMap(([name, make]) =>
        ['parameters', 'buffers']
          .filter((method) => method in library[name].prototype)
          .map((method) => [`${name}.${method}`, [() => [], () => make()[method]()]]),
      ),
    ),
    'FavorAttention.restoreState': [
      async () => [await favor.createState({ ...sizes, dHead: 4 }).save()],
      (...args) => favor.restoreState(...args),
    ],
    'LshAttention.restoreState': [async () => [await cache().save()], (...args) => lsh.restoreState(...args)],
    'LshAttention.stackStates': [() => [[cache(), cache()]], (...args) => lsh.stackStates(...args)],
    'LshAttention.extend': [
      () => {
        const queries = one();
        return [queries, queries, one(), lsh.createState({ ...sizes, dHead: 4, dValue: 4 })];
      },
      (...args) => lsh.extend(...args),
    ],
    'LshAttention.redraw': [() => [random()], (...args) => lsh.redraw(...args)],
    'LinformerAttention.redraw': [() => [random()], (...args) => linformer.redraw(...args)],
    'Transformer.forwardInPieces': [() => [idsOf(1, 2), {}], (...args) => whole(model.forwardInPieces(...args))],
    'Transformer.extendInPieces': [
      () => [idsOf(1, 2), model.createStates()],
      (...args) => whole(model.extendInPieces(...args)),
    ],
    'Transformer.advanceInPieces': [
      () => [idsOf(1, 2), model.createStates()],
      (...args) => whole(model.advanceInPieces(...args)),
    ],
    'Transformer.replaceAttentionInPieces': [
      () => [{ attention: 'exact' }, 1],
      (...args) => whole(new library.Transformer(backend, size).replaceAttentionInPieces(...args)),
    ],
    'Transformer.redrawInPieces': [() => [1, 2], (...args) => whole(model.redrawInPieces(...args))],
    'AdamW.stepInPieces': [
      () => [[tensorOf(2, 3)], { learningRate: 0.1 }],
      (...args) => whole(small().stepInPieces(...args)),
    ],
    'Block.forwardInPieces': [
      () => [tensorOf(1, 3, 4), { causal: true }, library.Dropout.off],
      (...args) => whole(new library.Block(parts()).forwardInPieces(...args)),
    ],
    'FeedForward.forwardInPieces': [() => [tensorOf(2, 4)], (...args) => whole(feedForward().forwardInPieces(...args))],
    'Transformer.forwardInSteps': [() => [idsOf(1, 2), {}, pauses()], (...args) => model.forwardInSteps(...args)],
    'Transformer.attentionInputsInSteps': [
      () => [idsOf(1, 2), {}, pauses()],
      (...args) => model.attentionInputsInSteps(...args),
    ],
    'EncoderDecoder.encodeInSteps': [() => [idsOf(1, 2), pauses()], (...args) => translator.encodeInSteps(...args)],
    'Decoder.save': [() => [], () => new library.Decoder(model).save()],
    'Random.uint32': [() => [], () => random().uint32()],
    'Random.uniform': [() => [], () => random().uniform()],
    'Random.normal': [() => [], () => random().normal()],
    'BadRecords.describe': [() => [], () => bad().describe()],
    'GroupSplit.check': [
      () => [],
      () => {
        const counted = new library.GroupSplit({ by: 'group', fraction: 0.5 });
        for (const group of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) counted.partOf({ group });
        counted.check();
      },
    ],
    'AdamW.save': [() => [], () => small().save()],
    'Trainer.saveOptimizer': [() => [], () => learner.saveOptimizer()],
    'Dropout.next': [() => [], () => new library.Dropout(0.5, [1, 2]).next()],
    'Block.extend': [
      () => [tensorOf(1, 1, 4), heads().attention.createState({ ...sizes }), library.Dropout.off],
      (...args) => new library.Block(parts()).extend(...args),
    ],
    'MultiHeadAttention.extend': [
      () => [tensorOf(1, 1, 4), heads().attention.createState({ ...sizes })],
      (...args) => heads().extend(...args),
    ],
    'MultiHeadAttention.attendTo': [
      () => [tensorOf(1, 2, 4), tensorOf(1, 3, 4), {}],
      (...args) => heads().attendTo(...args),
    ],
    'MultiHeadAttention.remember': [
      () => [tensorOf(1, 3, 4), [[1, 1, 1]]],
      (...args) => heads().remember(...args),
      (made) => made.dispose(),
    ],
    'MultiHeadAttention.recall': [
      () => [tensorOf(1, 2, 4), heads().remember(tensorOf(1, 3, 4))],
      (...args) => heads().recall(...args),
    ],
  };
  return calls;
}

/** Work in pieces, to its end. */
const whole = (pieces) => [...pieces].length;

/** Disposes what each function makes. */
const disposals = (makers) =>
  Object.fromEntries(
    Object.entries(makers).map(([name, make]) => [`${name}.dispose`, [() => [], () => make().dispose()]]),
  );

const scored = () => ({ tokens: byteTokens().map((bytes) => ({ bytes, score: -1 })), added: [] });
/** One token for each byte. */
const byteTokens = () => Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
