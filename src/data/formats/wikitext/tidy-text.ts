/** Marks a heading in a text that is being made; a digit follows, its level. XML cannot hold it. */
export const HEADING = '\u0001';

/**
 * Removes what taking markup out leaves behind: headings without text, empty parentheses, spaces before commas, doubled
 * spaces, and more than one blank line. Linear time.
 */
export function tidy(text: string): string {
  const lines: string[] = [];
  let headings: { level: number; title: string }[] = [];
  let isAfterBlank = false;
  const add = (line: string) => {
    if (isAfterBlank && lines.length > 0) lines.push('');
    lines.push(line);
    isAfterBlank = false;
  };
  for (const raw of text.split('\n')) {
    const line = tidyLine(raw);
    if (line === '') {
      isAfterBlank = true;
    } else if (line.startsWith(HEADING)) {
      const level = Number(line[1]);
      headings = headings.filter((heading) => heading.level < level);
      headings.push({ level, title: line.slice(2) });
      isAfterBlank = true;
    } else {
      for (const { title } of headings) {
        isAfterBlank = true;
        if (title !== '') add(title);
        isAfterBlank = true;
      }
      headings = [];
      add(line);
    }
  }
  return lines.join('\n').replaceAll(HEADING, '');
}

function tidyLine(raw: string): string {
  let line = raw.replaceAll('\u00a0', ' ');
  if (line.includes('(')) line = line.replace(/\([\s,;]*\)/g, '').replace(/\( *[,;][ ,;]*/g, '(');
  if (line.includes('  ')) line = line.replace(/ {2,}/g, ' ');
  if (line.includes(' ')) line = line.replace(/ ([,.;])(?=\s|$)/g, '$1');
  return line.trim();
}
