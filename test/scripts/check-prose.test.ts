import { describe, expect, it } from 'vitest';

type Check = (path: string, text: string) => string[];
const { checkProse } = (await import('../../scripts/check-prose.mjs' as string)) as { checkProse: Check };

const slashes = '//';
const words = (count: number) => `Word${' word'.repeat(count - 1)}.`;

describe('prose', () => {
  it.each([
    ['a.ts', `// ${words(25)} ${words(25)}`, []],
    ['a.ts', `const a = 1;\n// ${words(26)}`, [/^a\.ts:2: a sentence of 26 words/]],
    [
      'a.cc',
      `/**\n * ${words(13).slice(0, -1)}\n * ${words(13).toLowerCase()}\n */`,
      [/^a\.cc:2: a sentence of 26 words/],
    ],
    ['a.h', `int a;  ${slashes} the key lies there`, [/^a\.h:1: "lies": write "is" and a place/]],
    ['a.mjs', '// Mends it.\n\n// It works.\n\n// There is none.', [/:1: "Mends"/, /:3: "It"/, /:5: "is none"/]],
    ['a.md', `${words(26)}\n\n- ${words(25)}\n- ${words(25)}\n\n| ${words(40)} |`, [/^a\.md:1: a sentence of 26/]],
    ['a.md', `\`\`\`\n${words(40)} such a whence\n\`\`\`\nSuch a case.`, [/^a\.md:4: "Such a"/, /^a\.md:4: "Such"/]],
    ['a.md', 'It holds; [a clause](https://example.org) goes on.', [/"goes on"/, /"It"/]],
    [
      'src/a.ts',
      `throw new DataError(\n  \`${words(20).slice(0, -1)}, \${x} \` +\n    '${words(6)}',\n);`,
      [/:2: a sentence of 27/],
    ],
    ['test/a.ts', `const text = '${words(40)}';`, []],
    ['a.ts', `/**\n *     ${words(40)}\n * | ${words(40)} |\n */`, []],
    ['a.ts', `// biome-ignore lint: ${words(40)}`, []],
  ] as const)('%s: %s', (path, text, expected) => {
    const found = checkProse(path, text);
    expect(found).toHaveLength(expected.length);
    for (const [i, pattern] of expected.entries()) expect(found[i]).toMatch(pattern);
  });
});
