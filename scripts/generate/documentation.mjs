// The page docs/kernels.md: every kernel of kernels/description.mjs as a table.
import { constants, conventions, enumerations } from '../../kernels/description.mjs';
import { NOTICE } from './description.mjs';

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
      return `${enumeration}: ${enumerations[enumeration].names.join(', ')}`;
    default: {
      if (lengthOf) return `${kind}: length of ${lengthOf}`;
      const bounds = `${from ? ` from ${from}` : ''}${to ? ` to ${to}` : ''}${below ? ` below ${below}` : ''}${argument.isEven ? ', even' : ''}`;
      return `${kind}${bounds}${fallback ? `, default ${fallback}` : ''}`;
    }
  }
}

/** docs/kernels.md. */
export function documentation(kernels) {
  const cell = (text) => text.replaceAll('|', '\\|');
  return [
    '# Kernels',
    '',
    `<!-- ${NOTICE} -->`,
    '',
    'Every kernel of `kernels/`, as `kernels/description.mjs` describes the kernel.',
    '',
    ...conventions.map((convention) => `- ${convention}`),
    '',
    ...Object.entries(constants).map(([name, value]) => `- \`${name}\` = ${value}`),
    '',
    ...Object.entries(enumerations).map(([name, { meaning }]) => `- ${name}: ${meaning}`),
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
