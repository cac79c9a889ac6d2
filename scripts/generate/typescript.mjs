// The TypeScript side of kernels/description.mjs: types, the checks of the door, the calls of compiled kernels.
import { constants, enumerations, groups } from '../../kernels/description.mjs';
import { isPassed, NOTICE, readKernels } from './description.mjs';

const pascalCase = (name) => `${name[0].toUpperCase()}${name.slice(1)}`;
const typeOf = ({ name }) => `${pascalCase(name)}Arguments`;
const valuesOf = (enumeration) => `${enumeration[0].toLowerCase()}${enumeration.slice(1)}s`;
const isArray = ({ kind }) => kind === 'array';
const isWritten = (argument) => isArray(argument) && argument.role !== 'in';

/** Whether callers pass the argument. */
const isGiven = (argument) => isPassed(argument) && argument.lengthOf === undefined;

const shapeOf = ({ axes }) =>
  axes
    .map(({ length }) => length)
    .join(', ')
    .replaceAll('Math.', '');
const ROLES = { in: 'read', out: 'written', inout: 'read and written' };

/** A field of an interface, with its meaning. */
function field(argument) {
  const { kind, name, meaning, fallback } = argument;
  const isOptional = argument.isOptional || fallback !== undefined;
  const type = { array: 'Storage', enumeration: argument.enumeration, flag: 'boolean' }[kind] ?? 'number';
  const shape = isArray(argument) ? `${argument.type} \`[${shapeOf(argument)}]\`, ${ROLES[argument.role]}: ` : '';
  const note = fallback === undefined ? '' : ` Default ${fallback}.`;
  const text = shape === '' ? `${meaning[0].toUpperCase()}${meaning.slice(1)}` : `${shape}${meaning}`;
  return `  /** ${text}.${note} */\n  readonly ${name}${isOptional ? '?' : ''}: ${type}${isOptional ? ' | undefined' : ''};`;
}

function interfaceOf(name, about, args) {
  return `/** ${about} */\nexport interface ${name} {\n${args.filter(isGiven).map(field).join('\n')}\n}\n`;
}

/** What a method takes: one object, or the arguments in order where the description says so. */
function parameters(operation) {
  if (!operation.positional) return `args: ${typeOf(operation)}`;
  const types = { array: 'Storage', flag: 'boolean' };
  return operation.args
    .filter(isGiven)
    .map(({ name, kind, enumeration }) => `${name}: ${enumeration ?? types[kind] ?? 'number'}`)
    .join(', ');
}

const argumentsOf = ({ positional, args }) =>
  positional
    ? args
        .filter(isGiven)
        .map(({ name }) => name)
        .join(', ')
    : 'args';
const resultOf = ({ result = 'void' }) => result;

/** src/backend/kernels.ts. */
export function kernelTypes(operations) {
  const named = readKernels(groups);
  return [
    `/** ${NOTICE} */`,
    "import type { Storage } from './storage.ts';\n",
    ...Object.entries(constants).map(([name, value]) => `export const ${name} = ${value};`),
    '',
    ...Object.entries(enumerations).flatMap(([name, { meaning, names }]) => [
      `/** ${meaning} */`,
      `export const ${valuesOf(name)} = [${names.map((each) => `'${each}'`).join(', ')}] as const;`,
      `export type ${name} = (typeof ${valuesOf(name)})[number];\n`,
    ]),
    ...named.map(({ name, about, args }) => interfaceOf(name, about, args)),
    ...operations
      .filter(({ positional }) => !positional)
      .map((operation) => interfaceOf(typeOf(operation), operation.about, operation.args)),
    '/** What a backend computes. */',
    'export interface Operations {',
    ...operations.map(
      (operation) =>
        `  /** ${operation.about} */\n  ${operation.name}(${parameters(operation)}): ${resultOf(operation)};`,
    ),
    '}\n',
  ].join('\n');
}

// — the door —

const group = (text) => (/^[\w.]+$/.test(text) ? text : `(${text})`);

/** The number of elements that an array must have. */
function extent({ axes }) {
  if (!axes.some(({ stride }) => stride)) return axes.map(({ length }) => group(length)).join(' * ');
  return `extent(${axes.map(({ length, stride = 1 }) => `${length}, ${stride}`).join(', ')})`;
}

/** `args` in an order in which each comes after those that its bounds and its default refer to. */
function inOrder(args) {
  const waiting = [...args];
  const ordered = [];
  while (waiting.length > 0) {
    const isReady = ({ from, to, below, fallback, expression, lengthOf }) =>
      !waiting.some(({ name }) =>
        [from, to, below, fallback, expression]
          .join(' ')
          .match(/\b(?<!\.)[A-Za-z]\w*\b(?!\()/g)
          ?.includes(name),
      ) || lengthOf !== undefined;
    const next = waiting.findIndex(isReady);
    if (next < 0) throw new Error(`The bounds of ${waiting.map(({ name }) => name).join(', ')} refer to each other.`);
    ordered.push(...waiting.splice(next, 1));
  }
  return ordered;
}

const SINGLE = /^\w+$/;

/** The statement that checks a scalar and names its value. */
function checkScalar(operation, argument) {
  const { kind, name, from, to, below, lengthOf, fallback, enumeration, expression } = argument;
  const given = operation.positional ? name : `args.${name}`;
  const value = fallback === undefined ? given : `${given} === undefined ? ${fallback} : ${given}`;
  const what = `where, '${name}'`;
  const array = (of) => (operation.positional ? of : `args.${of}`);
  const bind = operation.positional && lengthOf === undefined ? '' : `const ${name} = `;
  if (lengthOf !== undefined) {
    const { type } = operation.args.find((each) => each.name === lengthOf);
    return `const ${name} = this.length(where, '${lengthOf}', ${array(lengthOf)}, '${type}');`;
  }
  switch (kind) {
    case 'derived': {
      const measured = [...expression.matchAll(/(\w+)\.length/g)].map(([, of]) => {
        const { type } = operation.args.find((each) => each.name === of);
        return [`${of}.length`, `this.length(where, '${of}', ${array(of)}, '${type}')`];
      });
      return `const ${name} = ${measured.reduce((text, [from, by]) => text.replace(from, by), expression)};`;
    }
    case 'size':
    case 'integer':
    case 'word': {
      const least = from ?? (kind === 'integer' ? '-MAX_SIZE' : '0');
      const most = to ?? (kind === 'word' ? '2 ** 32 - 1' : 'MAX_SIZE');
      const method = argument.isEven ? 'evenSize' : 'size';
      return `${bind}${method}(${what}, ${value}, ${least}, ${most});`;
    }
    case 'number':
      return below === undefined
        ? `${bind}number(${what}, ${value});`
        : `${bind}numberBelow(${what}, ${value}, ${from}, ${below});`;
    case 'flag':
      return `${bind}flag(${what}, ${value});`;
    default:
      return `${bind}choice(${what}, ${value}, ${valuesOf(enumeration)});`;
  }
}

function checkArray(operation, argument) {
  const { name, type, isOptional, together, below, mayBeNegative } = argument;
  const given = (of) => (operation.positional ? of : `args.${of}`);
  const count = extent(argument);
  const method = isOptional ? 'optional' : 'array';
  const lines = [`this.${method}(where, '${name}', ${given(name)}, '${type}', ${count});`];
  if (together) lines.push(`together(where, '${name}', ${given(name)}, '${together}', ${given(together)});`);
  if (below) lines.push(`this.indices(where, '${name}', ${given(name)}, ${count}, ${below}, ${mayBeNegative});`);
  return lines;
}

function checkedOperation(operation) {
  const { name, args, positional } = operation;
  const arrays = args.filter(isArray);
  const reach = args.filter(({ kind }) => kind === 'reach');
  const scalars = inOrder(args.filter(({ kind }) => kind !== 'array' && kind !== 'reach'));
  const measured = new Set(scalars.filter(({ lengthOf }) => lengthOf).map((each) => `${each.lengthOf} ${each.name}`));
  const checked = arrays.filter(({ check }) => check);
  // Their contents say how far other arrays are read.
  const isSequences = ({ check }) => /(sequences|strides)$/i.test(check);
  const lines = [`const where = '${name}';`];
  if (!positional) lines.push('argumentsOf(where, args);');
  lines.push(...scalars.map((argument) => checkScalar(operation, argument)));
  for (const { check } of checked.filter(isSequences)) {
    lines.push(
      `${reach.length > 0 ? `const { ${reach.map((each) => each.name).join(', ')} } = ` : ''}this.${check}(where, args);`,
    );
  }
  for (const argument of arrays) {
    const [axis] = argument.axes;
    if (argument.axes.length === 1 && SINGLE.test(axis.length) && measured.has(`${argument.name} ${axis.length}`))
      continue;
    if (!isSequences(argument)) lines.push(...checkArray(operation, argument));
  }
  lines.push(...checked.filter((argument) => !isSequences(argument)).map(({ check }) => `this.${check}(where, args);`));
  if (arrays.some((argument) => isWritten(argument) && argument.type === 'int32')) lines.push('this.integerWrites++;');
  const call = `this.inner.${name}(${argumentsOf(operation)});`;
  // States are optional, and updated where there is no query: keys alone are fed that way.
  const written = arrays.filter(
    (argument) => isWritten(argument) && (!argument.isOptional || argument.role === 'inout'),
  );
  // A product that continues another product is above 0 only if the other is.
  const extents = [...new Set(written.map(extent))].filter(
    (each, _, all) => !all.some((other) => each.startsWith(`${other} * `)),
  );
  if (operation.result) lines.push(`return ${call}`);
  else lines.push(`if (${extents.map((each) => `${each} > 0`).join(' || ')}) ${call}`);
  const text = lines.map((line) => `    ${line}`).join('\n');
  const isAsync = operation.result?.startsWith('Promise') ? 'async ' : '';
  return `  ${isAsync}${name}(${parameters(operation)}): ${resultOf(operation)} {\n${text}\n  }`;
}

/** Drops bindings that nothing reads. */
function withoutUnused(text) {
  return text.replace(/^ {2}(?:async )?\w+\([\s\S]*?^ {2}\}/gm, (method) =>
    method.replace(/const (\w+) = (?=this\.length|size|evenSize|number|flag|choice|[a-zA-Z]+\()/g, (binding, name) =>
      method.match(new RegExp(`(?<![.'\\w])${name}\\b(?!')`, 'g')).length > 1 ? binding : '',
    ),
  );
}

/** src/backend/checks/operations.ts. */
export function checkedOperations(operations) {
  const body = withoutUnused(operations.map(checkedOperation).join('\n\n'));
  const used = (names) => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body));
  const helpers = used([
    'argumentsOf',
    'choice',
    'evenSize',
    'extent',
    'flag',
    'number',
    'numberBelow',
    'size',
    'together',
  ]);
  const values = used([...Object.keys(constants), ...Object.keys(enumerations).map(valuesOf)]);
  const types = used([...operations.map(typeOf), ...Object.keys(enumerations)]);
  return `/** ${NOTICE} */
import { projectionLength } from '../projection-sizes.ts';
import { ${[...values, 'type Operations', ...types.map((type) => `type ${type}`)].join(', ')} } from '../kernels.ts';
import type { Storage } from '../storage.ts';
import { ${helpers.join(', ')} } from './arguments.ts';
import { ArrayChecks } from './arrays.ts';

/** Every call with its checks: a call that passes goes to the backend behind, if there is anything to write. */
export abstract class CheckedOperations extends ArrayChecks implements Operations {
${body}
}
`;
}

// — the trace —

/** An expression that describes an array of a call. */
function tracedArray(operation, argument) {
  const { name, role, axes, holdsInfinities, isPartlyWritten } = argument;
  const storage = operation.positional ? name : `args.${name}`;
  const lengths = axes.map(({ length }) => length);
  const parts = [];
  if (axes.some(({ stride }) => stride)) parts.push(`strides: [${axes.map(({ stride = 1 }) => stride).join(', ')}]`);
  const isAttention = lengths.length === 4 && lengths[1] === 'heads' && /^length/.test(lengths[2]);
  if (isAttention && /^d(Head|Value)$/.test(lengths[3]) && operation.args.some((each) => each.name === 'layout')) {
    parts.push(`strides: headStrides(args.layout, ${lengths.slice(1).join(', ')})`);
  }
  const hasSequences = operation.args.some(({ check }) => /sequences$/i.test(check));
  const rows = lengths.includes('lengthK') ? 'keys' : 'queries';
  if (hasSequences && lengths.some((each) => /^length[QK]?$/.test(each)) && lengths[1] === 'heads')
    parts.push(`rows: '${rows}'`);
  if (holdsInfinities) parts.push('holdsInfinities: true');
  if (isPartlyWritten) parts.push('isPartlyWritten: true');
  const more = parts.length > 0 ? `, { ${parts.join(', ')} }` : '';
  return `callArray('${role}', '${name}', ${storage}, [${lengths.join(', ')}]${more})`;
}

/** Declarations in order; neighbours that are read from `args` share a pattern. */
function declarations(needed) {
  const lines = [];
  let fields = [];
  const flush = () => {
    if (fields.length > 0) lines.push(`const { ${fields.join(', ')} } = args;`);
    fields = [];
  };
  for (const [name, { text, isField, fallback }] of needed) {
    if (isField) fields.push(fallback === undefined ? name : `${name} = ${fallback}`);
    else {
      flush();
      lines.push(`const ${name} = ${text};`);
    }
  }
  flush();
  return lines;
}

function tracedCall(operation) {
  const { name, args, positional, flops } = operation;
  const given = (of) => (positional ? of : `args.${of}`);
  const arrays = args.filter(isArray);
  const literals = arrays.map((argument) => tracedArray(operation, argument));
  const value = (argument) => {
    const { kind, lengthOf, fallback, expression } = argument;
    if (lengthOf) return `${given(lengthOf)}.length`;
    if (kind === 'derived') return expression.replace(/(\w+)\.length/g, (_, of) => `${given(of)}.length`);
    if (kind === 'reach') {
      const { name: of, axes } = arrays.find((array) => array.axes[0].length === argument.name);
      return `rowsOf(${given(of)}, ${axes
        .slice(1)
        .map(({ length }) => length)
        .join(', ')})`;
    }
    return fallback === undefined ? given(argument.name) : `${given(argument.name)} ?? (${fallback})`;
  };
  const needed = new Map();
  const need = (text) => {
    for (const [word] of text.replace(/'[^']*'|\b\w+: |args\.\w+/g, ' ').matchAll(/(?<!\.)\b[a-zA-Z]\w*/g)) {
      const argument = args.find((each) => each.name === word && each.kind !== 'array');
      if (!argument || needed.has(word) || (positional && !argument.lengthOf)) continue;
      const text = value(argument);
      need(text);
      const isField = !positional && !argument.lengthOf && !['derived', 'reach'].includes(argument.kind);
      needed.set(word, { text, isField, fallback: argument.fallback });
    }
  };
  for (const { axes } of arrays) for (const { length, stride } of axes) need(`${length} ${stride ?? ''}`);
  need(flops);
  const lines = [...declarations(needed), `return call(${flops}, [${literals.join(', ')}]);`];
  const body = lines.map((line) => `    ${line}`).join('\n');
  const taken = positional ? args.filter(isGiven).map((each) => each.name) : ['args'];
  const isRead = (each) => new RegExp(`(?<!')\\b${each}\\b(?!')`).test(body);
  const last = taken.findLastIndex(isRead);
  const names = taken.slice(0, last + 1).map((each) => (isRead(each) ? each : `_${each}`));
  return `  ${name}(${names.join(', ')}) {\n${body}\n  },`;
}

/** src/backend/trace/described-calls.ts. */
export function tracedCalls(operations) {
  const body = operations.map(tracedCall).join('\n\n');
  const used = (names) => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body));
  const imported = used(Object.keys(constants));
  return `/** ${NOTICE} */
import { projectionLength } from '../projection-sizes.ts';
import { ${[...imported, 'type Operations'].join(', ')} } from '../kernels.ts';
import { type Call, call, callArray, headStrides, rowsOf } from './call.ts';

/** The arrays of every call with their shapes, and its flops. */
export const describedCalls: { readonly [Name in keyof Operations]: (...args: Parameters<Operations[Name]>) => Call } = {
${body}
};
`;
}

// — compiled kernels —

function slot(argument) {
  const { kind, name, type, isOptional, lengthOf, enumeration, fallback } = argument;
  if (lengthOf) return `args.${lengthOf}.length`;
  const given = `args.${name}`;
  switch (kind) {
    case 'array': {
      const address = `at(${given}, '${type}')`;
      return isOptional ? `${given} === undefined ? 0 : ${address}` : address;
    }
    case 'enumeration':
      return `numbers.${enumeration}[${given}]`;
    case 'flag':
      return `${given} ? 1 : 0`;
    default:
      return fallback === undefined ? given : `${given} ?? ${fallback}`;
  }
}

/** src/backend/compiled/kernel-calls.ts. */
export function kernelCalls(kernels, operations) {
  const single = operations.filter(({ kernels: [kernel], args }) => {
    const { args: own } = kernels.find(({ name }) => name === kernel);
    return JSON.stringify(own) === JSON.stringify(args);
  });
  const operationOf = (kernel) => single.find(({ kernels, positional }) => kernels[0] === kernel.name && !positional);
  const ownInterfaces = kernels.filter((kernel) => !operationOf(kernel));
  const kernelType = (kernel) => {
    const operation = operationOf(kernel);
    return operation
      ? typeOf(operation)
      : `${kernel.name.replace(/(?:^|_)(\w)/g, (_, letter) => letter.toUpperCase())}Kernel`;
  };
  const fillers = kernels.map((kernel) => {
    const slots = kernel.args.filter(isPassed).map((argument, i) => `    slots[${i}] = ${slot(argument)};`);
    return `  ${kernel.name}(slots: Float64Array, args: ${kernelType(kernel)}, at: AddressOf): void {\n${slots.join('\n')}\n  },`;
  });
  const calls = single.map((operation) => {
    const args = operation.positional ? `{ ${argumentsOf(operation)} }` : 'args';
    return `  ${operation.name}(${parameters(operation)}): void {\n    this.run('${operation.kernels[0]}', ${args});\n  }`;
  });
  const numbers = Object.entries(enumerations).map(
    ([name, { names }]) => `  ${name}: { ${names.map((each, i) => `${each}: ${i}`).join(', ')} },`,
  );
  const body = [...fillers, ...calls].join('\n');
  const interfaces = ownInterfaces.map((kernel) => interfaceOf(kernelType(kernel), kernel.about, kernel.args));
  const types = [...operations.map(typeOf), ...Object.keys(enumerations)].filter((type) =>
    new RegExp(`(?<!\\.)\\b${type}\\b`).test(body + interfaces.join('')),
  );
  return `/** ${NOTICE} */
import type { ${[...types, 'Operations'].join(', ')} } from '../kernels.ts';
import type { DataType, Storage } from '../storage.ts';

/** The number of every name of an enumeration. */
const numbers = {
${numbers.join('\n')}
} as const;

/** The number of arguments of every kernel. */
export const KERNEL_ARGUMENTS = {
${kernels.map(({ name, args }) => `  ${name}: ${args.filter(isPassed).length},`).join('\n')}
} as const;

export type KernelName = keyof typeof KERNEL_ARGUMENTS;

/** Kernels that the WebAssembly files for inference lack. */
export const TRAINING_KERNELS = [${kernels
    .filter(({ isForTraining }) => isForTraining)
    .map(({ name }) => `'${name}'`)
    .join(', ')}] as const;

/** The address of a storage that holds numbers of \`type\`. */
export type AddressOf = (storage: Storage, type: DataType) => number;

${interfaces.join('\n')}
/** Puts the arguments of a kernel into the slots that it reads them from. */
export const fillSlots = {
${fillers.join('\n')}
} as const;

export type KernelArguments<K extends KernelName> = Parameters<(typeof fillSlots)[K]>[1];

/** The calls of a backend that are one kernel each. */
export abstract class SingleKernels implements Pick<Operations, ${single.map(({ name }) => `'${name}'`).join(' | ')}> {
  protected abstract run<K extends KernelName>(kernel: K, args: KernelArguments<K>): void;

${calls.join('\n\n')}
}
`;
}
