// Holds comments, Markdown and messages to the rules of prose in CONTRIBUTING.md.
// `node scripts/check-prose.mjs [root]` prints one line per fault and fails if there is one.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { globSync } from 'tinyglobby';
import ts from 'typescript';

const MOST_WORDS = 25;

/** Words that make a reader stumble, each with what to write instead. */
const PLAINER = [
  [/\bmend(s|ed|ing)?\b/i, '"fix"'],
  [/\b(lies?|lying)\b(?! about)/i, '"is" and a place'],
  [/\b(goes|go|going|went) on\b/i, '"continues"'],
  [/\bsuch an? /i, 'the noun, or "a … like this"'],
  [/\b(whence|hence)\b/i, '"so", or "from which"'],
  [/\b(there|where)(of|in|by|with|upon)\b|\b(lest|albeit|ere|nought|amid)\b/i, 'words of everyday English'],
  [/\b(is|are|has|have|had|was|were|takes?|needs?|gives?|with) none\b/i, '"no" and the noun'],
  [/^(It|None|Such(?! as)|Of these|Nor) /, 'the noun: a sentence starts with its subject'],
];

/** Files whose string literals are messages; the texts of tests, data and templates are not. */
const MESSAGES = /^((src|cli|scripts)\/.*\.m?[tj]s|kernels\/description.mjs)$/;

/** The sentences of a paragraph. A link counts as its text. */
function sentencesOf(paragraph) {
  const plain = paragraph.replace(/!?\[([^\]]*)\]\([^)]*\)|https?:\S+/g, '$1').replace(/\s+/g, ' ');
  return plain.trim().split(/(?<=[.!?]["”)*]*)(?<!\b(?:Fig|Eq|No|pp?|al|vs)\.) (?=["“(*]*[\p{Lu}\d]|[`@])/u);
}

/** Groups numbered lines of prose into paragraphs: an empty line, a list item or a tag begins the next. */
function paragraphsOf(lines) {
  const paragraphs = [];
  let current;
  for (const [line, text] of lines) {
    const continues = current?.last === line - 1 && !/^\s*([-*+]|\d+\.|@\w+|#+) /.test(text);
    if (text.trim() === '') current = undefined;
    else if (continues) Object.assign(current, { last: line, text: `${current.text} ${text}` });
    else current = paragraphs[paragraphs.push({ line, last: line, text }) - 1];
    if (text.startsWith('#')) current = undefined;
  }
  return paragraphs;
}

/** The prose of a Markdown file: without fenced code, tables and HTML. */
function markdown(text) {
  const prose = text.replace(/^\s*```[\s\S]*?^\s*```/gm, (code) => code.replace(/./g, ''));
  return prose.split('\n').map((line, i) => [i + 1, /^\s*(\||<)/.test(line) ? '' : line]);
}

/** The comments of a file of TypeScript, JavaScript or C++. */
function comments(text) {
  const lines = [];
  let [isBlock, isList] = [false, false];
  for (const [i, line] of text.split('\n').entries()) {
    isBlock ||= /^\s*\/\*/.test(line);
    const own = (isBlock ? /^\s*(?:\/\*+|\*(?!\/))?(.*?)(?:\*\/.*)?$/ : /^\s*\/\/+(.*)/).exec(line)?.[1];
    const trailing = /\s\/\/ (.*)/.exec(line)?.[1];
    if (own !== undefined) {
      isList = /^\s?([-*] |@)/.test(own) || (isList && /^\s{2,}\S/.test(own));
      // Indented lines are code or tables, unless they continue a list item.
      const isCode = (!isList && /^\s{3,}|^\s*\|/.test(own)) || /(biome|eslint|ts)-(ignore|expect-error)/.test(own);
      lines.push([i + 1, isCode ? '' : own]);
    } else if (trailing) lines.push([i + 1, ''], [i + 1, trailing], [i + 1, '']);
    isBlock &&= !line.includes('*/');
  }
  return lines;
}

/** The string literals of a file, a sum of them as one. Without punctuation, words are names and no message. */
function messages(path, text) {
  const found = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const contents = (node) => {
    if (ts.isStringLiteralLike(node)) return node.text;
    if (ts.isTemplateExpression(node))
      return node.head.text + node.templateSpans.map((span) => `x${span.literal.text}`).join('');
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
    const [left, right] = [contents(node.left), contents(node.right)];
    return left === undefined && right === undefined ? undefined : `${left ?? 'x'}${right ?? 'x'}`;
  };
  const visit = (node) => {
    const message = contents(node);
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    if (!message || !/[.,:;]/.test(message)) ts.forEachChild(node, visit);
    else for (const text of message.split('\n')) found.push({ line, text });
  };
  visit(source);
  return found;
}

/** The paragraphs of prose in a file, `{line, last, text}` each: lines `line` to `last` hold `text`. */
export function proseOf(path, text) {
  if (path.endsWith('.md')) return paragraphsOf(markdown(text));
  return [...paragraphsOf(comments(text)), ...(MESSAGES.test(path) ? messages(path, text) : [])];
}

/** One line per fault in the prose of a file. */
export function checkProse(path, text) {
  return proseOf(path, text).flatMap(({ line, text }) =>
    sentencesOf(text).flatMap((sentence) => {
      const words = sentence.split(' ').filter((word) => /\w/.test(word)).length;
      const faults = PLAINER.filter(([pattern]) => pattern.test(sentence)).map(
        ([pattern, instead]) => `"${pattern.exec(sentence)[0].trim()}": write ${instead}`,
      );
      if (words > MOST_WORDS) faults.push(`a sentence of ${words} words; divide it, as ${MOST_WORDS} is the limit`);
      return faults.map((fault) => `${path}:${line}: ${fault}: ${sentence.slice(0, 70)}`);
    }),
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
  const ignore = ['**/node_modules', 'build', 'dist', 'runs'];
  const files = globSync('**/*.{ts,mts,mjs,cc,h,md}', { cwd: root, ignore }).sort();
  const faults = files.flatMap((path) => checkProse(path, readFileSync(join(root, path), 'utf8')));
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
