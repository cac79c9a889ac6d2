// Holds comments, Markdown and messages to the rules of prose in CONTRIBUTING.md. `node scripts/check-prose.mjs [root]`
// prints one line per fault and fails if there is one. A sentence has 25 words at most, and some words have plainer
// ones.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const MOST_WORDS = 25;

/** Words that make a reader stumble, each with what to write instead. */
const PLAINER = [
  [/\bmend(s|ed|ing)?\b/i, '"fix"'],
  [/\b(lies?|lying) (?!about)/i, '"is" and a place'],
  [/\b(goes|go|going|went) on\b/i, '"continues"'],
  [/\bsuch an? /i, 'the noun, or "a … like this"'],
  [/\b(whence|hence)\b/i, '"so", or "from which"'],
  [/\b(thereof|therein|whereof|wherein|whereby|therewith)\b/i, '"of", "in" or "by" and the noun'],
  [/\b(lest|albeit|ere|nought|amid)\b/i, 'a word of everyday English'],
  [/\b(is|are|has|have|had|was|were|takes?|needs?|gives?|with) none\b/i, '"no" and the noun'],
  [/^(It|None|Such(?! as)|Of these|Nor) /, 'the noun: a sentence starts with its subject'],
];

/** Folders whose string literals are messages; the texts of tests, data and templates are not. */
const MESSAGES = /^(src|cli|scripts|kernels\/description)/;

/** The sentences of a paragraph. A link counts as its text. */
function sentencesOf(paragraph) {
  const plain = paragraph
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/https?:\S+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.split(/(?<=[.!?]["”)*]*)(?<!\b(?:Fig|Eq|No|pp?|al|vs)\.) (?=["“(*]*[\p{Lu}\d]|[`@])/u);
}

/** Groups lines of prose, [line number, text] each, into paragraphs: an empty line, a list item or a tag begins the next. */
function paragraphsOf(lines) {
  const paragraphs = [];
  let current;
  for (const [line, text] of lines) {
    const isStart = !current || line !== current.last + 1 || /^\s*([-*+]|\d+\.|@\w+|#+) /.test(text);
    if (text.trim() === '') current = undefined;
    else if (isStart) {
      current = { line, last: line, text };
      paragraphs.push(current);
    } else Object.assign(current, { last: line, text: `${current.text} ${text}` });
    if (/^#/.test(text)) current = undefined;
  }
  return paragraphs;
}

/** The prose of a Markdown file: without fenced code, tables and HTML. */
function markdown(text) {
  let isCode = false;
  return text.split('\n').map((line, i) => {
    const isFence = /^\s*```/.test(line);
    if (isFence) isCode = !isCode;
    return [i + 1, isCode || isFence || /^\s*(\||<)/.test(line) ? '' : line];
  });
}

/** The comments of a file of TypeScript, JavaScript or C++. */
function comments(text) {
  const lines = [];
  let isBlock = false;
  let isList = false;
  for (const [i, line] of text.split('\n').entries()) {
    const opens = /^\s*\/\*/.test(line);
    const own =
      isBlock || opens ? /^\s*(?:\/\*+|\*(?!\/))?(.*?)(?:\*\/.*)?$/.exec(line)[1] : /^\s*\/\/+(.*)/.exec(line)?.[1];
    if (own !== undefined) {
      isList = /^\s?([-*] |@)/.test(own) || (isList && /^\s{2,}\S/.test(own));
      // Indented lines are code or tables, unless they continue a list item.
      lines.push([
        i + 1,
        (!isList && /^\s{3,}|^\s*\|/.test(own)) || /(biome|eslint|ts)-(ignore|expect-error)/.test(own) ? '' : own,
      ]);
    } else if (/\s\/\/ (.*)/.test(line)) lines.push([i + 1, ''], [i + 1, /\s\/\/ (.*)/.exec(line)[1]], [i + 1, '']);
    isBlock = (isBlock || opens) && !line.includes('*/');
  }
  return lines;
}

/** The string literals of a file that are messages: those of several words. A sum of strings is one message. */
function messages(path, text) {
  const found = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const join = (node) => {
    if (ts.isStringLiteralLike(node)) return node.text;
    if (ts.isTemplateExpression(node))
      return node.head.text + node.templateSpans.map((span) => `x${span.literal.text}`).join('');
    if (ts.isParenthesizedExpression(node)) return join(node.expression);
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
    const [left, right] = [join(node.left), join(node.right)];
    return left === undefined && right === undefined ? undefined : `${left ?? 'x'}${right ?? 'x'}`;
  };
  const visit = (node) => {
    const message = join(node);
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    // Without any punctuation, so many words are a list of names.
    if (message !== undefined && /[.,:;]/.test(message))
      for (const text of message.split('\n')) found.push({ line, text });
    else ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The paragraphs of prose in a file, `{line, last, text}` each: lines `line` to `last` hold `text`. */
export function proseOf(path, text) {
  if (path.endsWith('.md')) return paragraphsOf(markdown(text));
  const isScript = MESSAGES.test(path) && /\.m?ts$|\.mjs$/.test(path);
  return [...paragraphsOf(comments(text)), ...(isScript ? messages(path, text) : [])];
}

/** One line per fault in the prose of a file. */
export function checkProse(path, text) {
  return proseOf(path, text).flatMap(({ line, text }) =>
    sentencesOf(text).flatMap((sentence) => {
      const words = sentence.split(' ').filter((word) => /\w/.test(word)).length;
      const found = PLAINER.filter(([pattern]) => pattern.test(sentence)).map(
        ([pattern, instead]) => `"${pattern.exec(sentence)[0].trim()}": write ${instead}`,
      );
      if (words > MOST_WORDS)
        found.push(`a sentence of ${words} words; divide the sentence, as ${MOST_WORDS} is the limit`);
      return found.map((fault) => `${path}:${line}: ${fault}: ${sentence.slice(0, 70)}`);
    }),
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
  const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n');
  const faults = files
    .filter((path) => /\.(m?ts|mjs|cc|h|md)$/.test(path))
    .flatMap((path) => checkProse(path, readFileSync(join(root, path), 'utf8')));
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
