/** What wikitext's tags and templates are, by name. */

const names = (list: string): ReadonlySet<string> => new Set(list.split(' '));

/** Tags whose content is not prose. */
export const DROPPED_TAGS = names(
  'ref references math chem ce gallery timeline score syntaxhighlight source hiero imagemap templatestyles mapframe ' +
    'maplink graph inputbox indicator includeonly categorytree charinsert templatedata style script',
);

/** Tags whose content has no markup. */
export const LITERAL_TAGS = names('nowiki pre');

/** Tags that begin a line. */
export const LINE_TAGS = names('br hr p li dt dd tr');

/** Tags that go, while their content stays. */
export const MARKUP_TAGS = names(
  'a abbr b bdi bdo big blockquote br caption center cite code data dd del dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr i ' +
    'ins kbd li mark noinclude ol onlyinclude p poem q rb rp rt rtc ruby s samp section small span strike strong sub ' +
    'sup table tbody td tfoot th thead time tr translate tt u ul var wbr',
);

/** Templates that show their last argument. */
const SHOW_LAST = names(
  'lang transl transliteration nowrap nobr small big smaller larger em strong nihongo2 zh-s zh-t iast unicode',
);

/** Templates that stand for a text. */
const STAND_FOR: ReadonlyMap<string, string> = new Map([
  ['ndash', '–'],
  ['en dash', '–'],
  ['mdash', '—'],
  ['em dash', '—'],
  ['snd', ' – '],
  ['spnd', ' – '],
  ['spaced ndash', ' – '],
  ['nbsp', ' '],
  ['space', ' '],
  ['=', '='],
  ['!', '|'],
  ["'", "'"],
]);

/**
 * What a reader sees of a template: mostly nothing. `content` is the text between its braces, with its markup resolved.
 */
export function templateText(content: string): string {
  const bar = content.indexOf('|');
  const name = (bar < 0 ? content : content.slice(0, bar)).trim().toLowerCase().replaceAll('_', ' ');
  const text = STAND_FOR.get(name);
  if (text !== undefined) return text;
  const isShown = SHOW_LAST.has(name) || /^lang-[a-z-]+$/.test(name);
  if (bar < 0 || !(isShown || name === 'convert' || name === 'cvt')) return '';
  const positional = content
    .slice(bar + 1)
    .split('|')
    .filter((argument) => !/^\s*[\w-]+\s*=/.test(argument))
    .map((argument) => argument.trim());
  if (!isShown) return positional.slice(0, 2).join(' ');
  // What `lang-xx` has after the words are transliterations.
  return (name.startsWith('lang-') ? positional[0] : positional.at(-1)) ?? '';
}
