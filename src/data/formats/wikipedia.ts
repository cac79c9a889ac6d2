import { DataError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { openText } from '../source/files.ts';
import { reader } from './reader.ts';
import { type DataRecord, MAX_RECORD_BYTES } from './records.ts';
import { wikitextToText } from './wikitext/wikitext.ts';

/** Why a page that is in order gives no record. */
export type SkippedPage = 'redirect' | 'other namespace' | 'no wikitext' | 'no text';

export interface WikipediaOptions {
  /** Told of every page that gives no record though nothing is wrong with it. Default: nobody. */
  readonly onSkip?: (reason: SkippedPage) => void;
}

/** What is read of a page. */
interface Page {
  readonly line: number;
  title: string;
  namespace: string;
  model: string;
  text: string;
  isRedirect: boolean;
  fault: string | undefined;
}

/** Numbers of MediaWiki's namespaces. */
const FILES = '6';
const CATEGORIES = '14';

/**
 * Articles of a MediaWiki XML dump (`pages-articles`, also multistream), plain, .gz or .bz2, as plain text: see
 * `wikitextToText`. A page with several revisions gives the last. A record's id is the title. Redirects, pages outside
 * namespace 0, pages that are no wikitext and pages without text give no record; `onSkip` is told of each.
 *
 * Added to `bad` are pages whose XML is faulty and a page that the end of the file cuts off. Pages that a fault hides from
 * the XML parser, such as after a bare `&`, count with the page that has the fault.
 *
 * @throws DataError, while reading, for an empty or damaged file, bytes that are not UTF-8, and a file without a
 *   `<mediawiki>` element
 * @throws FileError for a missing file or a directory
 */
export const readWikipedia = reader<WikipediaOptions>(
  'readWikipedia',
  { onSkip: option.function },
  async function* (path, bad, options) {
    const parser = await createDumpParser(path);
    const convert = (page: Page): DataRecord | undefined => {
      if (page.fault !== undefined) {
        bad.add({ file: path, line: page.line, reason: page.fault });
        return undefined;
      }
      const text = skipReason(page) === undefined ? wikitextToText(page.text, parser.names) : '';
      const skipped = skipReason(page) ?? (text === '' ? 'no text' : undefined);
      if (skipped === undefined) return { text, id: page.title, file: path, line: page.line };
      options.onSkip?.(skipped);
      return undefined;
    };
    for await (const chunk of openText(path)) {
      for (const page of parser.push(chunk)) {
        const record = convert(page);
        if (record) yield record;
      }
    }
    for (const page of parser.end()) {
      const record = convert(page);
      if (record) yield record;
    }
  },
);

function skipReason({ isRedirect, namespace, model }: Page): SkippedPage | undefined {
  if (namespace !== '' && namespace !== '0') return 'other namespace';
  if (isRedirect) return 'redirect';
  return model === '' || model === 'wikitext' ? undefined : 'no wikitext';
}

async function createDumpParser(path: string) {
  const { SaxesParser } = await import('saxes');
  const parser = new SaxesParser({ position: true });
  const names = { fileNamespaces: [] as string[], categoryNamespaces: [] as string[] };
  let hasRoot = false;
  let ready: Page[] = [];
  let page: Page | undefined;
  let namespaceKey = '';
  let text = '';
  let fault: { line: number; reason: string } | undefined;
  /** Characters since a tag, which the parser keeps. */
  let sinceEvent = 0;
  parser.on('error', (error) => {
    const reason = `faulty XML (${error.message.replace(/^\d+:\d+: /, '')})`;
    if (page) page.fault ??= reason;
    else fault ??= { line: parser.line, reason };
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (!hasRoot && name !== 'mediawiki') {
      throw new DataError(`${path} begins with <${name}>; give a MediaWiki dump, which begins with <mediawiki>.`);
    }
    hasRoot = true;
    text = '';
    sinceEvent = 0;
    if (name === 'page') {
      if (page) ready.push({ ...page, fault: page.fault ?? 'the page has no end' });
      page = { line: parser.line, title: '', namespace: '', model: '', text: '', isRedirect: false, fault: undefined };
    } else if (name === 'redirect' && page) page.isRedirect = true;
    else if (name === 'namespace') namespaceKey = String(attributes.key);
  });
  parser.on('text', (characters) => {
    text += characters;
  });
  parser.on('cdata', (characters) => {
    text += characters;
  });
  parser.on('closetag', ({ name }) => {
    if (name === 'page' && page) {
      ready.push(page);
      page = undefined;
    } else if (page) {
      if (name === 'title') page.title = text;
      else if (name === 'ns') page.namespace = text;
      else if (name === 'model') page.model = text;
      else if (name === 'text') page.text = text;
    } else if (name === 'namespace' && namespaceKey === FILES) names.fileNamespaces.push(text);
    else if (name === 'namespace' && namespaceKey === CATEGORIES) names.categoryNamespaces.push(text);
    text = '';
    sinceEvent = 0;
  });
  const take = () => {
    const pages = ready;
    ready = [];
    return pages;
  };
  return {
    names,
    push: (chunk: string): Page[] => {
      parser.write(chunk);
      sinceEvent += chunk.length;
      if (sinceEvent > MAX_RECORD_BYTES) {
        throw new DataError(
          `${path} has an element of more than 16 MiB at line ${parser.line}; give a MediaWiki dump.`,
        );
      }
      return take();
    },
    /** The last pages; what the end of the file cuts off is one that has a fault. */
    end: (): Page[] => {
      const cut = page;
      if (cut) cut.fault ??= 'the file ends inside this page';
      const wasFaulty = fault !== undefined;
      parser.close();
      if (cut) ready.push(cut);
      else if (fault) {
        const reason = wasFaulty ? fault.reason : 'the file ends before </mediawiki>';
        ready.push({
          line: fault.line,
          title: '',
          namespace: '',
          model: '',
          text: '',
          isRedirect: false,
          fault: reason,
        });
      }
      return take();
    },
  };
}
