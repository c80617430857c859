/** Patterns of paths that are about indices, which a path can name in more ways than a pattern can tell. */
import type { Problem } from '../../config/load.ts';
import type { PolicyDocument } from '../document.ts';
import { endpointTable } from '../endpoint-table.ts';
import { compileGlob } from '../glob.ts';
import { quoted } from './texts.ts';

/** Paths know of lists and wildcards, and nothing of remote clusters, bodies, and indices in the query. */
export function loosePaths({ match, action }: PolicyDocument): readonly Omit<Problem, 'where'>[] {
  if (action.kind === 'allow' && match.indices.length > 0) return [];
  return match.paths.flatMap((pattern, at) => {
    const named = indexSegments(pattern);
    const path = `spec.match.paths[${at}]`;
    if (action.kind === 'allow') {
      if (!named.some((segment) => segment.includes('*'))) return [];
      const wrong = `allows ${quoted(pattern)}, where a * takes indices of other clusters as well, such as a:secret`;
      return [{ path, wrong, fix: 'add match.indices' }];
    }
    if (!named.some((segment) => segment !== '*')) return [];
    const wrong = `asks for ${quoted(pattern)}, and the body of another request may name the same index`;
    return [{ path, wrong, fix: `${action.kind} by match.indices instead, and by match.endpoints` }];
  });
}

/** Without methods. What stands for an index is in `<>`, and other parameters in `{}`. */
const urls: readonly (readonly string[])[] = [
  ...new Set(
    endpointTable
      .trim()
      .split('\n')
      .flatMap((line) =>
        line
          .split(' ')
          .slice(4)
          .filter((_, at) => at % 2 === 1),
      ),
  ),
].map((url) => url.slice(1).split('/'));

/** Whether a pattern may fit some URL of the table. A `**` at its end is for what comes beside those as well. */
export function isOfTable(pattern: string): boolean {
  const parts = pattern.split('/').filter((part) => part !== '');
  if (parts.includes('**')) return false;
  const tests = parts.map((part) => compileGlob(part));
  return urls.some(
    (url) =>
      url.length === parts.length && tests.every((test, at) => fits(url[at] ?? '', parts[at] ?? '', test)),
  );
}

/** Those before the first `**`, which stand for an index in some URL. Any first one does that is no `_word`. */
function indexSegments(pattern: string): readonly string[] {
  const parts = pattern.split('/').filter((part) => part !== '');
  const open = parts.indexOf('**');
  const fixed = open === -1 ? parts : parts.slice(0, open);
  const tests = fixed.map((part) => compileGlob(part));
  const found = new Set<number>(fixed[0] === undefined || isWord(fixed[0]) ? [] : [0]);
  for (const url of urls) {
    if (url.length < fixed.length || (open === -1 && url.length > fixed.length)) continue;
    if (!tests.every((test, at) => fits(url[at] ?? '', fixed[at] ?? '', test))) continue;
    for (const at of fixed.keys()) if (url[at]?.startsWith('<')) found.add(at);
  }
  return [...found].map((at) => fixed[at] ?? '');
}

function fits(segment: string, part: string, test: (text: string) => boolean): boolean {
  if (segment.startsWith('<')) return !isWord(part);
  return segment.startsWith('{') || test(segment);
}

/** No index has such a name. */
function isWord(part: string): boolean {
  return part.startsWith('_') && !part.startsWith('_all');
}
