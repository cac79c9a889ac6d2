// Writes what follows from kernels/description.mjs. `node scripts/generate-kernels.mjs` writes the files that differ and names
// them; `--check` only names them, and fails if there are any.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { constants, enumerations } from '../kernels/description.mjs';
import { readText, root } from './build-tools.mjs';
import { isPassed, readKernels } from './read-description.mjs';

const NOTICE =
  'Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build.';

// — C++ —

const CPP_TYPES = { float32: 'float', float64: 'double', int32: 'int32_t' };
const CPP_SCALARS = { size: 'Index', integer: 'Index', number: 'float', word: 'uint32_t', flag: 'bool' };

const cppConstant = (name) => `k${name.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter) => letter.toUpperCase())}`;

function cppParameter({ kind, name, role, type, enumeration }) {
  if (kind === 'array') return `${role === 'in' ? 'const ' : ''}${CPP_TYPES[type]}* ${name}`;
  return `${kind === 'enumeration' ? enumeration : CPP_SCALARS[kind]} ${name}`;
}

function cppHeader(kernels) {
  const parameters = (args) => args.map((argument) => `  [[maybe_unused]] ${cppParameter(argument)}`).join(', \\\n');
  return [
    `// ${NOTICE}`,
    '#pragma once',
    '',
    'namespace KERNELS_NAMESPACE {',
    '',
    ...Object.entries(constants).map(([name, value]) => `constexpr Index ${cppConstant(name)} = ${value};`),
    ...Object.entries(enumerations).map(([name, names]) => `enum class ${name} : Index { ${names.join(', ')} };`),
    '',
    ...kernels.flatMap(({ name, about, args }) => [
      `// ${about}`,
      `#define ARGUMENTS_${name} \\`,
      parameters(args.filter(isPassed)),
      `PLAN(${name});`,
      `RUN(${name});`,
      '',
    ]),
    '// Every kernel, in the order of the table that the bindings expose.',
    `#define KERNEL_LIST(X) ${kernels.map(({ name }) => `X(${name})`).join(' ')}`,
    '',
    '}  // namespace KERNELS_NAMESPACE',
    '',
  ].join('\n');
}

// — the reference table —

const ROLES = { in: 'read', out: 'written', inout: 'read and written' };

const shapeText = ({ axes }) =>
  `[${axes.map(({ length, stride }) => `${length}${stride ? ` @ ${stride}` : ''}`).join(', ')}]`.replaceAll(
    'Math.',
    '',
  );

function kindText(argument) {
  const { kind, from, to, below, lengthOf, fallback, expression, enumeration, of } = argument;
  switch (kind) {
    case 'array': {
      const optional = argument.isOptional ? ', optional' : '';
      const bound = argument.below ? `, below ${argument.below}${argument.mayBeNegative ? ' or negative' : ''}` : '';
      return `${ROLES[argument.role]}${optional}: ${argument.type} \`${shapeText(argument)}\`${bound}`;
    }
    case 'derived':
      return `not passed: \`${expression}\``;
    case 'reach':
      return `not passed: reach of the ${of}`;
    case 'enumeration':
      return `${enumeration}: ${enumerations[enumeration].join(', ')}`;
    default: {
      if (lengthOf) return `${kind}: length of ${lengthOf}`;
      const bounds = `${from ? ` from ${from}` : ''}${to ? ` to ${to}` : ''}${below ? ` below ${below}` : ''}`;
      return `${kind}${bounds}${fallback ? `, default ${fallback}` : ''}`;
    }
  }
}

function documentation(kernels) {
  const cell = (text) => text.replaceAll('|', '\\|');
  return [
    '# Kernels',
    '',
    `<!-- ${NOTICE} -->`,
    '',
    'Every kernel of `kernels/`, as `kernels/description.mjs` describes the kernel; the conventions that all share are there too.',
    '',
    ...Object.entries(constants).map(([name, value]) => `- \`${name}\` = ${value}`),
    ...kernels.flatMap(({ name, about, args, flops }) => [
      '',
      `## ${name}`,
      '',
      about,
      ...(flops === '0' ? [] : ['', `Flops: \`${flops}\`.`]),
      '',
      '| argument | what is passed | meaning |',
      '|---|---|---|',
      ...args.map((argument) => `| ${argument.name} | ${cell(kindText(argument))} | ${cell(argument.meaning)} |`),
    ]),
    '',
  ].join('\n');
}

/** Path → text of every generated file. */
function generate() {
  const kernels = readKernels();
  return {
    'kernels/generated/kernels.h': cppHeader(kernels),
    'docs/kernels.md': documentation(kernels),
  };
}

/** The generated files that are not as the description has them; writes them unless `check`. */
export function generateKernels({ check = false } = {}) {
  const stale = Object.entries(generate()).filter(
    ([path, text]) => !existsSync(join(root, path)) || readText(path) !== text,
  );
  for (const [path, text] of check ? [] : stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return stale.map(([path]) => path);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const check = process.argv.includes('--check');
  const stale = generateKernels({ check });
  for (const path of stale) {
    console.error(
      `${path}: ${check ? 'is not what kernels/description.mjs says; run `npm run build` and commit it.' : 'written'}`,
    );
  }
  process.exitCode = check && stale.length > 0 ? 1 : 0;
}
