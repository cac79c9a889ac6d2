/**
 * Wikitext to plain text, in one pass and linear time. What is open (a template, a table, a link) is a frame on a stack
 * with the text gathered so far. Closing a frame drops its text or hands the reader's share of the text to the frame
 * below. A frame that never closes turns out to have been text, as in MediaWiki.
 */
import { checkArguments, checkOptions, option } from '../../../base/options.ts';
import { decodeEntities, entityAt } from './html-entities.ts';
import { DROPPED_TAGS, LINE_TAGS, LITERAL_TAGS, MARKUP_TAGS, templateText } from './tags-and-templates.ts';
import { HEADING, tidy } from './tidy-text.ts';

export interface WikitextOptions {
  /** Further names of the namespace of files, beside `File`, `Image` and `Media`. */
  readonly fileNamespaces?: readonly string[];
  /** Further names of the namespace of categories, beside `Category`. */
  readonly categoryNamespaces?: readonly string[];
}

interface Frame {
  readonly kind: 'page' | 'template' | 'table' | 'htmlTable' | 'link' | 'external';
  /** What opened the frame, to put back if it never closes. */
  readonly opener: string;
  text: string;
  /** Where the first `|` of its own is in the text; −1: nowhere. */
  bar: number;
}

/** Deeper markup is text, which keeps the time linear. MediaWiki's own limit is 40 templates. */
const MAX_DEPTH = 100;

const SPECIAL = new Uint8Array(128);
for (const character of `\n<&[]{}|'_${HEADING}`) SPECIAL[character.charCodeAt(0)] = 1;

const TABLE_START = /[ \t:]*\{\|/y;
const TABLE_END = /[ \t]*\|\}(?!\})/y;
const LINE_PREFIX = /(?:-{4,})?[ \t]*[*#:;]*[ \t]*/y;
const URL_START = /\[(?:https?:|ftp:|mailto:|news:|irc:|\/\/)[^\s\][<>"]*/iy;
const TAG = /<(\/?)([a-zA-Z][a-zA-Z0-9-]*)(?:[\s/][^<>]*)?>/y;
const MAGIC_WORD = /__\p{Lu}+__/uy;
const LANGUAGE = /^(?:[a-z]{2,3}(?:-[a-z-]+)?|simple)$/;
/** Illegal in the target of a link. */
const ILLEGAL_TARGET = /[[\]{}<>\n]/;

/**
 * The text that a reader of the page would see, without templates, tables, references, files, categories, comments,
 * formulas and galleries. Links become their labels, items of lists lines without their bullets. Headings become lines
 * of their own; those of sections left without text are dropped. Templates that only format or abbreviate (`lang`,
 * `nowrap`, `convert`, `ndash` and a few more) leave their text.
 *
 * Any string is accepted. Time and memory are linear in its length.
 */
export function wikitextToText(wikitext: string, options: WikitextOptions = {}): string {
  checkArguments('wikitextToText', { wikitext }, { wikitext: option.string });
  checkOptions<WikitextOptions>('wikitextToText', options, {
    fileNamespaces: option.array,
    categoryNamespaces: option.array,
  });
  const hidden = new Set(
    [
      'file',
      'image',
      'media',
      'category',
      ...(options.fileNamespaces ?? []),
      ...(options.categoryNamespaces ?? []),
    ].map((name) => name.toLowerCase()),
  );
  return tidy(new Converter(wikitext, hidden).convert());
}

class Converter {
  #at = 0;
  #top: Frame = { kind: 'page', opener: '', text: '', bar: -1 };
  readonly #frames: Frame[] = [this.#top];
  #numTemplates = 0;
  #numHtmlTables = 0;
  /** Where the next end of each tag is; the length of the source: nowhere. */
  readonly #nextEnd = new Map<string, number>();

  constructor(
    private readonly source: string,
    private readonly hidden: ReadonlySet<string>,
    private readonly isTitle = false,
  ) {}

  convert(): string {
    const { source } = this;
    this.#startLine();
    while (this.#at < source.length) {
      let end = this.#at;
      while (end < source.length && !(source.charCodeAt(end) < 128 && SPECIAL[source.charCodeAt(end)])) end++;
      if (end > this.#at) this.#append(source.slice(this.#at, end));
      this.#at = end;
      if (end < source.length) this.#special(source[end]!);
    }
    return this.#frames.map(({ opener, text }) => opener + text).join('');
  }

  #append(text: string): void {
    this.#top.text += text;
  }

  /** Takes `length` units of the source as text. */
  #take(length: number): void {
    this.#append(this.source.slice(this.#at, this.#at + length));
    this.#at += length;
  }

  #special(character: string): void {
    const { source } = this;
    const isDouble = source[this.#at + 1] === character;
    switch (character) {
      case '\n':
        if (this.#top.kind === 'external') this.#unwind(this.#frames.length - 1);
        this.#take(1);
        this.#startLine();
        break;
      case '<':
        this.#tag();
        break;
      case '&':
        this.#entity();
        break;
      case '[':
        this.#bracket(isDouble);
        break;
      case ']':
        if (this.#top.kind === 'external') this.#closeExternal();
        else if (isDouble && this.#top.kind === 'link') this.#closeLink();
        else this.#take(1);
        break;
      case '{':
        this.#openBraces();
        break;
      case '}':
        if (isDouble && this.#numTemplates > 0) this.#closeTemplate();
        else this.#take(1);
        break;
      case '|':
        if (this.#top.bar < 0) this.#top.bar = this.#top.text.length;
        this.#take(1);
        break;
      case "'":
        this.#apostrophes();
        break;
      case '_':
        this.#at += matchLength(MAGIC_WORD, source, this.#at);
        if (source[this.#at] === '_') this.#take(1);
        break;
      default:
        this.#at++;
    }
  }

  /** What has a meaning only at the start of a line. */
  #startLine(): void {
    const { source } = this;
    const table = matchLength(TABLE_START, source, this.#at);
    if (table > 0) {
      const opener = source.slice(this.#at, this.#at + table);
      this.#at += table;
      this.#open('table', opener);
      return;
    }
    const end = matchLength(TABLE_END, source, this.#at);
    if (end > 0 && this.#closeTable('table')) {
      this.#at += end;
      return;
    }
    if (source[this.#at] === '=' && this.#heading()) return;
    this.#at += matchLength(LINE_PREFIX, source, this.#at);
  }

  /** Reads a line `== Heading ==`; false if the line is no heading. */
  #heading(): boolean {
    const { source } = this;
    const newline = source.indexOf('\n', this.#at);
    const lineEnd = newline < 0 ? source.length : newline;
    const line = withoutComments(source.slice(this.#at, lineEnd)).trimEnd();
    let level = 0;
    while (level < 6 && line[level] === '=' && line[line.length - 1 - level] === '=') level++;
    if (2 * level >= line.length) level = Math.floor((line.length - 1) / 2);
    if (level < 1 || this.isTitle || this.#top.kind === 'link') return false;
    const title = new Converter(line.slice(level, line.length - level), this.hidden, true).convert();
    this.#append(`${HEADING}${level}${title.trim()}`);
    this.#at = lineEnd;
    return true;
  }

  #tag(): void {
    const { source } = this;
    if (source.startsWith('<!--', this.#at)) {
      const end = source.indexOf('-->', this.#at);
      this.#at = end < 0 ? source.length : end + 3;
      return;
    }
    TAG.lastIndex = this.#at;
    const match = TAG.exec(source);
    const name = match?.[2]?.toLowerCase() ?? '';
    if (match === null || !(MARKUP_TAGS.has(name) || DROPPED_TAGS.has(name) || LITERAL_TAGS.has(name))) {
      this.#take(1);
      return;
    }
    const isEnd = match[1] === '/';
    this.#at += match[0].length;
    if (name === 'table') {
      if (!isEnd) this.#open('htmlTable', match[0]);
      else if (this.#numHtmlTables > 0) this.#closeTable('htmlTable');
    } else if (LINE_TAGS.has(name)) {
      this.#append('\n');
    } else if (!isEnd && !match[0].endsWith('/>') && (DROPPED_TAGS.has(name) || LITERAL_TAGS.has(name))) {
      this.#skipTo(name);
    }
  }

  /** Continues after `</name>`, if that exists; keeps what is before it where that is literal. */
  #skipTo(name: string): void {
    const { source } = this;
    let end = this.#nextEnd.get(name) ?? -1;
    if (end < this.#at) {
      const pattern = new RegExp(`</${name}\\s{0,8}>`, 'gi');
      pattern.lastIndex = this.#at;
      end = pattern.exec(source)?.index ?? source.length;
      this.#nextEnd.set(name, end);
    }
    if (end === source.length) return;
    if (LITERAL_TAGS.has(name)) this.#append(decodeEntities(source.slice(this.#at, end)));
    this.#at = source.indexOf('>', end) + 1;
  }

  #entity(): void {
    const entity = entityAt(this.source, this.#at);
    if (entity === undefined) {
      this.#take(1);
      return;
    }
    this.#append(entity.characters);
    this.#at += entity.length;
  }

  #bracket(isDouble: boolean): void {
    if (isDouble) {
      this.#at += 2;
      this.#open('link', '[[');
      return;
    }
    const length = matchLength(URL_START, this.source, this.#at);
    if (length > 0 && this.#top.kind !== 'external') {
      const opener = this.source.slice(this.#at, this.#at + length);
      this.#at += length;
      this.#open('external', opener);
    } else {
      this.#take(1);
    }
  }

  #openBraces(): void {
    let run = 1;
    while (this.source[this.#at + run] === '{') run++;
    this.#at += run;
    // Three braces are a parameter, which is dropped like a template.
    if (run === 1) this.#append('{');
    else if (run === 3) this.#open('template', '{{{');
    else {
      for (let left = run; left >= 2; left -= 2) this.#open('template', '{{');
      if (run % 2 === 1) this.#append('{');
    }
  }

  #closeTemplate(): void {
    let index = this.#frames.length - 1;
    while (this.#frames[index]!.kind !== 'template') index--;
    this.#unwind(index + 1);
    const { text, opener } = this.#close();
    this.#append(templateText(text));
    this.#at += opener === '{{{' && this.source[this.#at + 2] === '}' ? 3 : 2;
  }

  /** Drops a table, if one of this kind is open and no template is open above it. */
  #closeTable(kind: 'table' | 'htmlTable'): boolean {
    let index = this.#frames.length - 1;
    while (index > 0 && ['link', 'external'].includes(this.#frames[index]!.kind)) index--;
    if (this.#frames[index]!.kind !== kind) return false;
    this.#unwind(index + 1);
    this.#close();
    return true;
  }

  #closeLink(): void {
    const { text, bar } = this.#close();
    this.#at += 2;
    const target = (bar < 0 ? text : text.slice(0, bar)).trim();
    if (target === '' || ILLEGAL_TARGET.test(target)) {
      this.#append(`[[${text}]]`);
      return;
    }
    const colon = target.indexOf(':');
    const prefix = target.slice(0, Math.max(0, colon)).replaceAll('_', ' ').trim();
    if (this.hidden.has(prefix.toLowerCase()) || (bar < 0 && LANGUAGE.test(prefix))) return;
    const page = target.replace(/^[:#]/, '');
    const label = bar < 0 ? page : text.slice(bar + 1);
    // `[[Word (sense)|]]` shows the word alone.
    this.#append(label === '' ? page.slice(page.indexOf(':') + 1).replace(/\s?\([^()]*\)$/, '') : label);
  }

  #closeExternal(): void {
    const { text } = this.#close();
    this.#at++;
    this.#append(text.trim());
  }

  #apostrophes(): void {
    let run = 1;
    while (this.source[this.#at + run] === "'") run++;
    this.#at += run;
    // Two are italics, three bold, five both; what is left over is text.
    this.#append("'".repeat(run === 1 || run === 4 ? 1 : Math.max(0, run - 5)));
  }

  #open(kind: Exclude<Frame['kind'], 'page'>, opener: string): void {
    if (this.#frames.length > MAX_DEPTH) {
      this.#append(opener);
      return;
    }
    if (kind === 'template') this.#numTemplates++;
    if (kind === 'htmlTable') this.#numHtmlTables++;
    this.#top = { kind, opener, text: '', bar: -1 };
    this.#frames.push(this.#top);
  }

  #close(): Frame {
    const frame = this.#frames.pop()!;
    if (frame.kind === 'template') this.#numTemplates--;
    if (frame.kind === 'htmlTable') this.#numHtmlTables--;
    this.#top = this.#frames.at(-1)!;
    return frame;
  }

  /** Frames from `index` on turn out to be text. */
  #unwind(index: number): void {
    while (this.#frames.length > index) {
      const { opener, text } = this.#close();
      this.#append(opener + text);
    }
  }
}

function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

function withoutComments(line: string): string {
  return line.includes('<!--') ? line.replace(/<!--[^<>]*-->/g, '') : line;
}
