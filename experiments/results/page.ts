import type { AnyExperiment } from '../experiment.ts';
import type { StoredResult } from './result.ts';

/** What the gallery page says of a stored result, between `<!-- name -->` and `<!-- /name -->`. */
export function pageSection(experiment: AnyExperiment, result: StoredResult): string {
  const { name, tabulate } = experiment;
  const { machine, backend, date, seconds, command } = result;
  const source = `\`${command}\`, ${seconds} s, ${date.slice(0, 10)}; ${machine}; ${backend}.`;
  return `<!-- ${name} -->\n\n${tabulate(result.numbers, result.configuration)}\n\n${source}\n\n<!-- /${name} -->`;
}

/** The page with the section of one experiment renewed. @throws one sentence when the page has no marks for it. */
export function updatePage(page: string, experiment: AnyExperiment, result: StoredResult): string {
  const { name } = experiment;
  const marks = new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`);
  if (!marks.test(page)) {
    throw new Error(`The page has no place for ${name}: write <!-- ${name} --> and <!-- /${name} --> into it.`);
  }
  return page.replace(marks, () => pageSection(experiment, result));
}
