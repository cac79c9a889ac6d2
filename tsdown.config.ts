import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { defineConfig, type Rolldown } from 'tsdown';
import { publicEntries } from './scripts/entries.mjs';

const entries: Record<string, string> = {
  ...publicEntries,
  cli: 'cli/main.ts',
  bench: 'bench/main.ts',
  'bench-depth': 'bench/whole/depth-child.ts',
  'bench-memory': 'bench/whole/memory-child.ts',
  'kernels/worker': 'src/backend/wasm/worker.ts',
};

/** Packages that become part of dist: most of zod is never used, and loading all of it took as long as everything else. */
const BUNDLED = ['zod'];
const isBundled = (id: string): boolean => BUNDLED.some((name) => id === name || id.startsWith(`${name}/`));
const isPackage = (id: string): boolean => /^[@\w]/.test(id) && !isAbsolute(id);
const isDeclaration = (path: string): boolean => /\.d\.ts$/.test(path);

/**
 * V8 reads a file of ASCII as one byte a character, and a single × in a message makes that two for the whole file.
 * Escapes mean the same in strings and regular expressions; `String.raw` is not used.
 */
const ascii: Rolldown.Plugin = {
  name: 'ascii',
  generateBundle(_, bundle) {
    for (const output of Object.values(bundle)) {
      if (output.type !== 'chunk' || isDeclaration(output.fileName)) continue;
      output.code = output.code.replace(
        /[\u0080-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
    }
  },
};

/** Expressions that a bundler knows to do nothing. */
const INERT = /^(Literal|Identifier|ArrowFunctionExpression|FunctionExpression|TemplateLiteral|UnaryExpression)$/;

const MAKE = '\0make';

/**
 * Marks the value of every constant of a file as free of side effects, as package.json says of the whole file. A bundler
 * then leaves out constants that a page does not use, and what they name: a page of one attention fetched every model. The
 * value is made inside a function, as reading a property counts as an effect.
 */
const pure: Rolldown.Plugin = {
  name: 'pure',
  resolveId: (id) => (id === MAKE ? { id, moduleSideEffects: false } : undefined),
  load: (id) => (id === MAKE ? 'export const make = (value) => value();' : undefined),
  transform: {
    filter: { id: /src\/.*(?<!\.d)\.ts$/ },
    handler(code) {
      const marked: string[] = [];
      let end = 0;
      for (const statement of this.parse(code, { lang: 'ts' }).body) {
        const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
        if (declaration?.type !== 'VariableDeclaration') continue;
        for (const { init } of declaration.declarations) {
          if (!init || INERT.test(init.type)) continue;
          marked.push(code.slice(end, init.start), `/* @__PURE__ */ make(() => (${code.slice(init.start, init.end)}))`);
          end = init.end;
        }
      }
      if (marked.length === 0) return undefined;
      return `import { make } from '${MAKE}';${marked.join('')}${code.slice(end)}`;
    },
  },
};

export default defineConfig({
  // With `./`: `src/…` alone would be read as a package's name, and declarations would lose their entries' names.
  entry: Object.fromEntries(
    Object.entries(entries)
      .filter(([, path]) => existsSync(path))
      .map(([name, path]) => [name, `./${path}`]),
  ),
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  fixedExtension: false,
  // Only what `exports` names has declarations.
  dts: { entry: Object.values(publicEntries) },
  // Stable chunk names, so that a rebuild leaves no stale files behind.
  hash: false,
  // dist/kernels holds the compiled kernels.
  clean: false,
  deps: {
    // Types stay in the package: declarations import them.
    alwaysBundle: (id, importer = '') => isBundled(id) && !isDeclaration(importer),
    onlyBundle: BUNDLED,
    neverBundle: (id, importer) =>
      importer !== undefined && isPackage(id) && (!isBundled(id) || isDeclaration(importer)),
  },
  // Documentation is in the declarations; `@__PURE__` stays, for those who bundle this.
  outputOptions: {
    comments: { jsdoc: false },
    // Shared declarations have a folder of their own: `data.d.ts` would be one, and the entry `data` become `data2.d.ts`.
    chunkFileNames: ({ name }) => (name.endsWith('.d') ? 'types/[name].js' : '[name].js'),
  },
  plugins: [pure, ascii],
  sourcemap: true,
  // This file sets zod's language; package.json says that no file has side effects.
  treeshake: {
    moduleSideEffects: [
      { test: /src\/base\/zod\.ts$/, sideEffects: true },
      // Else declarations keep imports of node: that they do not use, and a page then needs the types of Node.
      { external: true, sideEffects: false },
    ],
  },
  copy: BUNDLED.map((name) => ({ from: `node_modules/${name}/LICENSE`, rename: `LICENSE.${name}` })),
  logLevel: 'warn',
});
