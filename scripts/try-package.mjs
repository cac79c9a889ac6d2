// Packs the package, installs the tarball into a fresh app, and compiles, bundles and runs what is in test/package/ there.
// `npm test` runs `--quick`, which needs no network: the app's packages are those of this checkout. Arguments choose steps
// by words of their names.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { listFiles, readText, root, runProgram } from './build-tools.mjs';

const manifest = JSON.parse(readText('package.json'));
/** The entries with types: `performers`, `performers/data` … */
const entries = Object.entries(manifest.exports)
  .filter(([, files]) => files.types)
  .map(([name, files]) => ({ name: name.replace(/^\./, manifest.name), files }));

/** The strictest options of TypeScript, which the declarations are checked with too. */
const STRICT = {
  target: ts.ScriptTarget.ES2022,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
};
const NODE_NEXT = { ...STRICT, module: ts.ModuleKind.NodeNext, lib: ['lib.es2022.d.ts'], types: ['node'] };
const DOM = ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'];
const BUNDLER = { ...STRICT, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };

/** Declarations that were parsed before: those of TypeScript and Node take longer than all of ours. */
const parsed = new Map();
function sharingHost(options) {
  const host = ts.createCompilerHost(options);
  return {
    ...host,
    getSourceFile(file, ...rest) {
      if (!file.endsWith('.d.ts') || file.includes('/performers/')) return host.getSourceFile(file, ...rest);
      // A file is a module or not by the options too.
      const key = `${options.module} ${file}`;
      if (!parsed.has(key)) parsed.set(key, host.getSourceFile(file, ...rest));
      return parsed.get(key);
    },
  };
}

/** Compiles files of the app. @throws if TypeScript finds a fault */
function compile(app, files, options) {
  const complete = { ...options, rootDir: app, outDir: join(app, 'out') };
  const paths = files.map((file) => join(app, file));
  const program = ts.createProgram(paths, complete, sharingHost(complete));
  const found = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => app, getNewLine: () => '\n' };
  if (found.length > 0) throw new Error(ts.formatDiagnostics(found.slice(0, 20), host));
  return program;
}

function expectOutput(output, pattern) {
  if (!pattern.test(output)) throw new Error(`printed ${JSON.stringify(output)} where ${pattern} was expected.`);
}

const node = (app, ...args) => runProgram(process.execPath, args, { cwd: app });
const PAGE_PRINTS = /^wasm 1x1x3x4 0\.500 function\n$/;
const SERVER_PRINTS = /^(native|wasm) 3$/m;
const APP_PRINTS = /^true 3\.000 true\n$/;

/** The TypeScript of the guides, written as files of the app, and their names. */
function writeGuides(app) {
  const pages = ['README.md', ...listFiles('docs', /\.md$/)];
  return pages.flatMap((page) =>
    [...readText(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code], i) => {
      const file = `${page.replace(/\W+/g, '-')}-${i + 1}.ts`;
      writeFileSync(join(app, file), `${code}\nexport {};\n`);
      return file;
    }),
  );
}

/** Holds what each entry gives when it runs to its types, which `source` of `program` imports in order. */
async function compareNames(app, program, source) {
  const checker = program.getTypeChecker();
  for (const [i, { name, files }] of entries.entries()) {
    const symbol = checker.getSymbolAtLocation(source.statements[i].moduleSpecifier);
    const typed = checker.getExportsOfModule(symbol).filter((found) => {
      const target = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
      return target.flags & ts.SymbolFlags.Value;
    });
    const names = new Set(typed.map((found) => found.getName()));
    const load = async (path) => Object.keys(await import(pathToFileURL(join(app, 'node_modules/performers', path))));
    const inNode = await load(files.node ?? files.default);
    const missing = [...names].filter((each) => !inNode.includes(each));
    const untyped = [...inNode, ...(await load(files.default))].filter((each) => !names.has(each));
    if (missing.length + untyped.length > 0) {
      throw new Error(
        `${name} gives no ${missing.join(', ') || '…'}, and has no types for ${untyped.join(', ') || '…'}.`,
      );
    }
  }
}

/** Every relative link of a page in the tarball leads to a file of the tarball. */
async function followLinks(app) {
  const installed = join(app, 'node_modules/performers');
  const seen = new Set(['README.md']);
  for (const page of seen) {
    const text = readFileSync(join(installed, page), 'utf8');
    for (const [, link] of text.matchAll(/\]\(([^)\s#:]+)(?:#[^)]*)?\)/g)) {
      const path = join(dirname(page), link);
      // Figures and records of the experiments and the bench are in the checkout alone: together they are larger than dist/.
      if (/^(experiments|docs\/benchmarks)\b/.test(path)) continue;
      if (!existsSync(join(installed, path))) throw new Error(`${page} links to ${path}, which is not in the package.`);
      if (path.endsWith('.md')) seen.add(path);
    }
  }
}

async function esbuild(app, options) {
  const { build } = await import('esbuild');
  await build({ absWorkingDir: app, bundle: true, logLevel: 'silent', format: 'esm', target: 'es2022', ...options });
}

/** Runs a bundle where neither the package nor its kernels are, then with kernels beside the bundle. @returns what the two printed */
async function runAlone(app, bundle) {
  const alone = mkdtempSync(join(tmpdir(), 'performers-alone-'));
  try {
    cpSync(join(app, bundle), join(alone, bundle));
    const failed = await node(alone, bundle).catch(({ message }) => message);
    cpSync(join(app, 'node_modules/performers/dist/kernels'), join(alone, 'kernels'), { recursive: true });
    return [failed, await node(alone, bundle)];
  } finally {
    rmSync(alone, { recursive: true, force: true });
  }
}

/** What is tried, in order: a name, and a function that throws where something is wrong. */
const QUICK = {
  'the pages of the package link to what is there': followLinks,
  'the command line names commands of an installed package': async (app) => {
    const cli = join(app, 'node_modules/performers/dist/cli.js');
    expectOutput(await node(app, cli, '--version'), new RegExp(`^performers ${manifest.version}\\n$`));
    expectOutput(
      await node(app, cli, 'info', '--help'),
      /npx performers info .*\n.*\n {2}node_modules\/performers\/docs\/training\.md/,
    );
  },
  'NodeNext: types of every entry, and their names; import and require in Node': async (app) => {
    const program = compile(app, ['app.ts', 'required.cts', 'entries.ts'], NODE_NEXT);
    await compareNames(app, program, program.getSourceFile(join(app, 'entries.ts')));
    expectOutput(await node(app, 'out/app.js'), APP_PRINTS);
    expectOutput(await node(app, 'out/required.cjs'), /^1 2 3 32\n$/);
  },
  // The types of onnxruntime-web, which a guide uses, need those of pages.
  'bundler: types of an app for Bun or a server, and of the guides': async (app) => {
    compile(app, ['app.ts', 'wasm.d.ts', 'entries.ts', ...writeGuides(app)], { ...BUNDLER, lib: DOM, types: ['node'] });
  },
  'bundler: types of a page, without those of Node': async (app) => {
    compile(app, ['page.ts', 'wasm.d.ts', 'entries.ts'], { ...BUNDLER, lib: DOM, types: [] });
  },
  'esbuild: a page whose bundle holds the kernels': async (app) => {
    const options = { entryPoints: ['page.ts'], outfile: 'page.mjs', loader: { '.wasm': 'binary' } };
    await esbuild(app, { ...options, platform: 'browser' });
    expectOutput(await node(app, 'page.mjs'), PAGE_PRINTS);
  },
  ...Object.fromEntries(
    ['esm', 'cjs'].map((format) => [
      `esbuild --platform=node --format=${format}: in the app, and alone with a folder kernels/`,
      async (app) => {
        const bundle = `server.${format === 'esm' ? 'mjs' : 'cjs'}`;
        await esbuild(app, { entryPoints: ['server.ts'], outfile: bundle, platform: 'node', format });
        expectOutput(await node(app, bundle), SERVER_PRINTS);
        const [failed, printed] = await runAlone(app, bundle);
        expectOutput(failed, /a bundle finds kernels in a folder kernels\/ beside itself, or by createBackend/);
        expectOutput(printed, SERVER_PRINTS);
      },
    ]),
  ),
};

/** Fills the app's node_modules from this checkout: the unpacked tarball, and links to the packages that it names. */
async function installFromCheckout(app, tarball) {
  const modules = join(app, 'node_modules');
  await runProgram('tar', ['-xzf', tarball, '-C', app]);
  cpSync(join(app, 'package'), join(modules, 'performers'), { recursive: true });
  for (const name of [...Object.keys(manifest.dependencies), '@types/node', 'onnxruntime-web']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
}

/** An error's beginning and end: a bundle that fails may show itself whole. */
const shortened = (text) => (text.length < 4000 ? text : `${text.slice(0, 2000)}\n…\n${text.slice(-2000)}`);

const chosen = process.argv.slice(2).filter((argument) => argument !== '--quick');
const app = mkdtempSync(join(tmpdir(), 'performers-app-'));
let failures = 0;
try {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const packed = await runProgram(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', app]);
  const [{ filename, size }] = Object.values(JSON.parse(packed));
  process.stdout.write(`packed ${filename}, ${(size / 1e6).toFixed(1)} MB\n`);
  cpSync(join(root, 'test/package'), app, { recursive: true });
  writeFileSync(
    join(app, 'entries.ts'),
    entries.map(({ name }, i) => `export * as entry${i} from '${name}';\n`).join(''),
  );
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n');
  await installFromCheckout(app, join(app, filename));
  for (const [name, attempt] of Object.entries(QUICK)) {
    if (chosen.length > 0 && !chosen.some((word) => name.includes(word))) continue;
    const start = performance.now();
    const error = await attempt(app).then(
      () => undefined,
      (reason) => reason,
    );
    if (error) failures++;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    process.stdout.write(error ? `FAILED: ${name}\n${shortened(error.message)}\n` : `ok: ${name} (${seconds} s)\n`);
  }
} finally {
  rmSync(app, { recursive: true, force: true });
}
process.exit(failures === 0 ? 0 : 1);
