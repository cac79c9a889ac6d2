// The C++ side of kernels/description.mjs: constants, enumerations and the declaration of every kernel.
import { constants, enumerations } from '../../kernels/description.mjs';
import { isPassed, NOTICE } from './description.mjs';

const CPP_TYPES = { float32: 'float', float64: 'double', int32: 'int32_t' };
const CPP_SCALARS = { size: 'Index', integer: 'Index', number: 'float', word: 'uint32_t', flag: 'bool' };

const cppConstant = (name) => `k${name.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter) => letter.toUpperCase())}`;

function cppParameter({ kind, name, role, type, enumeration }) {
  if (kind === 'array') return `${role === 'in' ? 'const ' : ''}${CPP_TYPES[type]}* ${name}`;
  return `${kind === 'enumeration' ? enumeration : CPP_SCALARS[kind]} ${name}`;
}

/** kernels/generated/kernels.h. */
export function cppHeader(kernels) {
  const parameters = (args) => args.map((argument) => `  [[maybe_unused]] ${cppParameter(argument)}`).join(', \\\n');
  return [
    `// ${NOTICE}`,
    '#pragma once',
    '',
    'namespace KERNELS_NAMESPACE {',
    '',
    ...Object.entries(constants).map(([name, value]) => `constexpr Index ${cppConstant(name)} = ${value};`),
    ...Object.entries(enumerations).map(([name, { names }]) => `enum class ${name} : Index { ${names.join(', ')} };`),
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

/** kernels/generated/inference.h. */
export function inferenceHeader(kernels) {
  const names = kernels.filter(({ isForTraining }) => !isForTraining).map(({ name }) => `X(${name})`);
  return [
    `// ${NOTICE}`,
    '// The kernels that are not for training alone, in the order of the table.',
    '#pragma once',
    `#define INFERENCE_LIST(X) ${names.join(' ')}`,
    '',
  ].join('\n');
}
