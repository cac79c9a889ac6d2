/** Reads the notation of kernels/description.mjs: every kernel as {name, about, flops, args}, for whatever is generated from it. */
import { constants, enumerations, kernels, meanings, operations } from '../../kernels/description.mjs';

/** The first line of every generated file. */
export const NOTICE =
  'Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build.';

const ARRAY =
  /^(in|out|inout)(?: (optional)(?: with (\w+))?)?(?: (float32|float64|int32))? \[(.*)\](?: below (\w+)( or negative)?)?(?: checked as (\w+))?(?: (with infinities|partly written))?$/;
const SCALAR =
  /^(size|integer|number|word|flag)(?: from (\S+))?(?: to (\S+))?(?: below (\S+))?(?: (even))?(?: = (?:length of (\w+)|(.+)))?$/;

/** One argument. Its `kind` is `array`, `derived`, `reach`, `enumeration` or that of a scalar. */
function parseArgument(where, name, described) {
  const [text, meaning = meanings[name]] = described.split(' — ');
  const refuse = (why) => new Error(`kernels/description.mjs: ${where}: the argument ${name}: "${text}" ${why}.`);
  if (!meaning) throw refuse('has no meaning; add one after " — ", or to `meanings`');
  const array = ARRAY.exec(text);
  if (array) {
    const [, role, optional, together, type = 'float32', axes, below, negative, check, contents] = array;
    const isOptional = optional !== undefined;
    const mayBeNegative = negative !== undefined;
    return {
      kind: 'array',
      name,
      meaning,
      role,
      isOptional,
      together,
      type,
      axes: splitAxes(axes),
      below,
      mayBeNegative,
      check,
      holdsInfinities: contents === 'with infinities',
      isPartlyWritten: contents === 'partly written',
    };
  }
  const derived = /^derived = (.+)$/.exec(text);
  if (derived) return { kind: 'derived', name, meaning, expression: derived[1] };
  const reach = /^reach of (queries|keys|strides)$/.exec(text);
  if (reach) return { kind: 'reach', name, meaning, of: reach[1] };
  const scalar = SCALAR.exec(text);
  if (scalar) {
    const [, kind, from, to, below, even, lengthOf, fallback] = scalar;
    return { kind, name, meaning, from, to, below, isEven: even !== undefined, lengthOf, fallback };
  }
  const enumeration = /^one of (\w+)(?: = (\w+))?$/.exec(text);
  if (enumeration?.[1] in enumerations) {
    return { kind: 'enumeration', name, meaning, enumeration: enumeration[1], fallback: enumeration[2] };
  }
  throw refuse('is not understood; the notation is at the top of the file');
}

/** Axes of a shape, cut at the commas outside brackets: each {length, stride}. */
function splitAxes(text) {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if ('([{'.includes(character)) depth++;
    if (')]}'.includes(character)) depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => {
    const [length, stride] = part.trim().split(' @ ');
    return { length, stride };
  });
}

/** `table` is `kernels` of the description, or a table like it. */
export function readKernels(table = kernels) {
  return Object.entries(table).map(([name, { about, arguments: described, flops = '0', ...rest }]) => {
    const args = Object.entries(described).map(([argument, text]) => parseArgument(name, argument, text));
    const count = args.filter(isPassed).length;
    if (count > constants.MAX_ARGUMENTS) {
      throw new Error(`kernels/description.mjs: ${name} has ${count} arguments, more than MAX_ARGUMENTS.`);
    }
    return { ...rest, name, about, flops, args };
  });
}

export const camelCase = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** The calls of a backend: those of the description, and every other kernel under its name in camel case. */
export function readOperations() {
  const composed = new Set(Object.values(operations).flatMap(({ kernels }) => kernels));
  const single = readKernels().filter(({ name }) => !composed.has(name));
  return [
    ...readKernels(operations),
    ...single.map((kernel) => ({ ...kernel, name: camelCase(kernel.name), kernels: [kernel.name] })),
  ];
}

/** Whether a kernel is passed the argument: others are there for shapes. */
export const isPassed = ({ kind }) => kind !== 'derived' && kind !== 'reach';
