// Holds the source to the arrows of ARCHITECTURE.md. `node scripts/check-layers.mjs [root]` prints one line per fault
// and fails if there is one:
// - A layer imports only from its left, and has files.
// - Imports form no cycle, imports of types included.
// - A folder has 15 files at most, tests, kernels and scripts included.
// - Entries for browsers reach nothing that a browser lacks. Entries have few names, each documented.
// - Every package is listed in package.json.
// - src/ throws errors that have a class.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

/** What each layer may import besides itself: layers, or single files. The first eight are the spine, in order. */
const SPINE = ['base', 'backend', 'tensor', 'features', 'attention', 'model', 'storage', 'training'];
const LAYERS = {
  ...Object.fromEntries(SPINE.map((layer, i) => [layer, SPINE.slice(0, i)])),
  tokenizers: ['base'],
  data: ['base', 'tokenizers'],
  pretrained: SPINE.slice(0, -1),
  onnx: SPINE.slice(0, -1),
};
LAYERS.storage.push('tokenizers');
LAYERS.training.push('tokenizers', 'data', 'pretrained');
LAYERS.pretrained.push('tokenizers');
LAYERS.onnx.push('tokenizers');

/** Layers that must have files. */
const REQUIRED_LAYERS = [...SPINE, 'tokenizers', 'data'];

/** Entries: the only files of src/ that the outside may import; they may import every layer. */
const isEntry = (path) => path.startsWith('src/entries/');
/** Values that an entry may have: as many as one can learn. `internal` is no page to learn. */
const MOST_NAMES = 40;
/** Programs: they import entry points, nothing imports them, except as below. */
const PROGRAMS = ['cli', 'demo', 'experiments', 'bench', 'examples'];
/**
 * What a program may import besides. `performers reproduce` runs the experiments. The demonstration reads the book that
 * the experiments read. The bench measures what checking costs.
 */
const SHARED_PROGRAMS = {
  bench: ['src/backend/checked.ts'],
  cli: ['experiments/index.ts', 'experiments/sources/moby-dick.ts'],
};

/** Packages known to run in a browser. */
const BROWSER_PACKAGES = ['zod', 'entities', 'fzstd', '@huggingface/tokenizers'];

const BUILTINS = new Set(builtinModules);

/** Every file below `folder` whose name fits, TypeScript by default, as paths relative to `root` with forward slashes. */
function sourceFiles(root, folder, pattern = /\.[cm]?tsx?$/) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sourceFiles(root, path, pattern);
      return pattern.test(entry.name) ? [path] : [];
    });
}

/** The imports of one file: {specifier, line, typeOnly}. Dynamic imports and re-exports count. */
export function importsOf(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, specifier, typeOnly) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    found.push({ specifier: specifier.text, line, typeOnly });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add(node, node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteralLike(argument)) add(node, argument, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const layerOf = (path) => /^src\/([^/]+)\//.exec(path)?.[1];
const programOf = (path) => PROGRAMS.find((program) => path.startsWith(`${program}/`));
const isNodeModule = (specifier) => specifier.startsWith('node:') || BUILTINS.has(specifier.split('/')[0]);
const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** All imports of the tree: path → [{specifier, line, typeOnly, target}], target a path or undefined for packages. */
function readGraph(root, faults) {
  const paths = ['src', ...PROGRAMS].flatMap((folder) => sourceFiles(root, folder));
  const graph = new Map();
  for (const path of paths) {
    const edges = importsOf(path, readFileSync(join(root, path), 'utf8')).map((edge) => {
      if (!edge.specifier.startsWith('.')) return edge;
      const target = posix.join(posix.dirname(path), edge.specifier);
      if (!existsSync(join(root, target))) {
        faults.push(`${path}:${edge.line}: imports ${edge.specifier}, which does not exist; correct the path.`);
      }
      return { ...edge, target };
    });
    graph.set(path, edges);
  }
  return graph;
}

/** Why `path` must not import `target`, with what to do, or undefined. */
function arrowFault(path, target) {
  const program = programOf(path);
  const targetProgram = programOf(target);
  if (SHARED_PROGRAMS[program]?.includes(target)) return undefined;
  if (targetProgram && targetProgram !== program) {
    return `nothing imports ${targetProgram}/; move what is shared into src/`;
  }
  if (program) {
    if (!target.startsWith('src/') || isEntry(target)) return undefined;
    return `${program}/ may import only src/entries/; export it there and import it from there`;
  }
  if (!target.startsWith('src/') || isEntry(path)) return undefined;
  const layer = layerOf(path);
  const targetLayer = layerOf(target);
  if (isEntry(target)) return 'nothing in src/ imports an entry point; import the file that defines it';
  if (!layer || layer === targetLayer) return undefined;
  const allowed = LAYERS[layer];
  if (allowed.includes(targetLayer) || allowed.includes(target)) return undefined;
  const choices = allowed.length > 0 ? `may import only ${allowed.join(', ')}` : 'imports no other layer';
  return `${layer} ${choices}; move the shared part to a layer on the left, or pass it in as an argument`;
}

function checkArrows(graph, faults) {
  for (const [path, edges] of graph) {
    const layer = layerOf(path);
    if (layer && !isEntry(path) && !LAYERS[layer]) {
      faults.push(
        `${path}: src/${layer}/ is no known layer; move the file, or name the layer in scripts/check-layers.mjs.`,
      );
      continue;
    }
    if (path.startsWith('src/') && !layer) {
      faults.push(`${path}: is in no layer; move it into one.`);
    }
    for (const { specifier, line, target } of edges) {
      const fault = target && arrowFault(path, target);
      if (fault) faults.push(`${path}:${line}: imports ${specifier}: ${fault}.`);
    }
  }
}

/** One fault per import that closes a cycle, found by depth-first search over all imports, those of types included. */
function checkCycles(graph, faults) {
  const done = new Set();
  const stack = [];
  const visit = (path) => {
    stack.push(path);
    for (const { line, specifier, target } of graph.get(path) ?? []) {
      if (!target || done.has(target)) continue;
      const from = stack.indexOf(target);
      if (from >= 0) {
        const cycle = [...stack.slice(from), target].join(' → ');
        faults.push(
          `${path}:${line}: imports ${specifier}: closes the cycle ${cycle}; ` +
            'move what both need into a third file.',
        );
      } else visit(target);
    }
    stack.pop();
    done.add(path);
  };
  for (const path of graph.keys()) if (!done.has(path)) visit(path);
}

function checkRequiredLayers(graph, faults) {
  for (const layer of REQUIRED_LAYERS) {
    if ([...graph.keys()].some((path) => layerOf(path) === layer)) continue;
    faults.push(`src/${layer}/: the layer has no files; add them, or take the layer out of scripts/check-layers.mjs.`);
  }
}

/**
 * A package of some folder above, or one that only the bench installs, has no types on a machine without the package.
 */
function checkPackages(root, graph, faults) {
  const manifest = join(root, 'package.json');
  if (!existsSync(manifest)) return;
  const { name, dependencies, devDependencies } = JSON.parse(readFileSync(manifest, 'utf8'));
  const listed = { ...dependencies, ...devDependencies };
  for (const [path, edges] of graph) {
    for (const { specifier, line, target } of edges) {
      if (target || isNodeModule(specifier) || packageOf(specifier) in listed) continue;
      // Examples use the package as its users do.
      if (packageOf(specifier) === name && programOf(path) === 'examples') continue;
      faults.push(
        `${path}:${line}: imports ${specifier}, which package.json does not list; add it there, ` +
          'or declare the types that are used and load it by name.',
      );
    }
  }
}

/** The entries that browsers load: those in browser/, and those without another file there; `internal` is for Node. */
function browserEntries(graph) {
  const entries = [...graph.keys()].filter(isEntry);
  const hasTwin = (path) => graph.has(path.replace('src/entries/', 'src/entries/browser/'));
  return entries.filter((path) => path.includes('/browser/') || !(hasTwin(path) || path.endsWith('/internal.ts')));
}

/** Walks what the entries for browsers reach at run time, remembering the way there. */
function checkBrowserEntries(graph, faults) {
  const entries = browserEntries(graph);
  const ways = new Map(entries.map((entry) => [entry, entry]));
  if (entries.length === 0) faults.push('src/entries/: has no file for browsers; add one.');
  for (const [path, way] of ways) {
    for (const { specifier, line, typeOnly, target } of graph.get(path) ?? []) {
      if (typeOnly) continue;
      if (target) {
        if (!ways.has(target)) ways.set(target, `${way} → ${target}`);
      } else if (isNodeModule(specifier)) {
        faults.push(
          `${path}:${line}: imports ${specifier}, reached by ${way}: browsers have no Node modules; an entry for Node alone may import it.`,
        );
      } else if (!BROWSER_PACKAGES.includes(packageOf(specifier))) {
        faults.push(
          `${path}:${line}: imports ${specifier}, reached by ${way}, but not known to run in a browser; ` +
            'move the import to an entry for Node, or extend BROWSER_PACKAGES.',
        );
      }
    }
  }
}

/** The statements of a file that declare something, by name. */
function declarationsOf(root, path) {
  const source = ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true);
  const found = new Map();
  for (const statement of source.statements) {
    const declared = ts.isVariableStatement(statement) ? statement.declarationList.declarations : [statement];
    for (const { name } of declared) {
      const bindings = name && ts.isArrayBindingPattern(name) ? name.elements.map((element) => element.name) : [name];
      for (const binding of bindings) if (binding && ts.isIdentifier(binding)) found.set(binding.text, statement);
    }
  }
  return { source, found };
}

/** An entry is a page to learn: it has few values, each documented where it is declared. */
function checkEntries(root, graph, faults) {
  const counts = new Map();
  for (const path of [...graph.keys()].filter(isEntry)) {
    const { source, found } = declarationsOf(root, path);
    const names = [...found].filter(([, statement]) => ts.isFunctionDeclaration(statement)).map(([name]) => name);
    for (const statement of source.statements) {
      if (!ts.isExportDeclaration(statement) || statement.isTypeOnly) continue;
      if (!statement.exportClause || !statement.moduleSpecifier) continue;
      const from = posix.join(posix.dirname(path), statement.moduleSpecifier.text);
      const declared = ts.isNamedExports(statement.exportClause) && graph.has(from) && declarationsOf(root, from).found;
      const elements = declared ? statement.exportClause.elements.filter((element) => !element.isTypeOnly) : [];
      for (const element of elements) {
        const declaration = declared.get((element.propertyName ?? element.name).text);
        if (declaration && ts.getJSDocCommentsAndTags(declaration).length > 0) continue;
        faults.push(`${path}: exports ${element.name.text} of ${from}, which has no doc comment there; write one.`);
      }
      names.push(...(declared ? elements.map((element) => element.name.text) : [statement.exportClause.name.text]));
    }
    const entry = posix.basename(path, '.ts');
    counts.set(entry, new Set([...(counts.get(entry) ?? []), ...names]));
  }
  for (const [entry, { size }] of counts) {
    if (size <= MOST_NAMES || entry === 'internal') continue;
    faults.push(
      `src/entries/${entry}.ts: has ${size} values; one learns ${MOST_NAMES} at most: move some to another entry.`,
    );
  }
}

const PLAIN_ERROR = /\bnew (Error|TypeError|RangeError|SyntaxError)\(/;

/** Callers tell errors apart by their class, so src/ makes none without one. */
function checkErrors(root, graph, faults) {
  for (const path of graph.keys()) {
    if (!path.startsWith('src/')) continue;
    for (const [i, line] of readFileSync(join(root, path), 'utf8').split('\n').entries()) {
      const plain = PLAIN_ERROR.exec(line);
      if (plain) faults.push(`${path}:${i + 1}: makes a plain ${plain[1]}; use a class of src/base/errors.ts.`);
    }
  }
}

/** Most files of a folder that one can take in at a glance. */
const MOST_FILES = 15;

/** A folder that holds more files than one can take in is divided by what a person asks for. */
function checkFolders(root, graph, faults) {
  const counts = new Map();
  const beside = ['kernels', 'scripts', 'test'].flatMap((folder) => sourceFiles(root, folder, /\.(cc|h|[cm]?ts|mjs)$/));
  for (const path of [...graph.keys(), ...beside])
    counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  for (const [folder, count] of counts) {
    if (count > MOST_FILES)
      faults.push(`${folder}/: holds ${count} files; divide the folder, as ${MOST_FILES} is the limit.`);
  }
}

/** One line per fault in the tree at `root`; empty if it is sound. */
export function checkLayers(root) {
  const faults = [];
  const graph = readGraph(root, faults);
  checkArrows(graph, faults);
  checkCycles(graph, faults);
  checkRequiredLayers(graph, faults);
  checkBrowserEntries(graph, faults);
  checkEntries(root, graph, faults);
  checkPackages(root, graph, faults);
  checkErrors(root, graph, faults);
  checkFolders(root, graph, faults);
  return faults;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
  const faults = checkLayers(root);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exit(1);
}
