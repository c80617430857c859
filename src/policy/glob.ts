/** Wildcards without backtracking: the time is bounded by the text's length times the number of stars. */

/** `*` stands for any run of characters; everything else for itself. */
export type Glob = (text: string) => boolean;

export function compileGlob(pattern: string): Glob {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return (text) => text === pattern;
  const last = parts.at(-1) ?? '';
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  return (text) => {
    if (text.length < first.length + last.length) return false;
    if (!beginsWith(text, first) || !endsWith(text, last)) return false;
    // The leftmost place of each part leaves the most room for the rest: no other choice can do better.
    let at = first.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return at <= text.length - last.length;
  };
}

/** As `startsWith`, which takes 2 ns for each character; of longer ones a search that has but one place is faster. */
export function beginsWith(text: string, head: string): boolean {
  return head.length < 16 ? text.startsWith(head) : text.lastIndexOf(head, 0) === 0;
}

/** As `endsWith`. */
export function endsWith(text: string, tail: string): boolean {
  if (tail.length < 16) return text.endsWith(tail);
  return text.length >= tail.length && text.indexOf(tail, text.length - tail.length) !== -1;
}

/** Any of them; none given matches nothing. Plain texts are looked up, not tried one by one. */
export function compileGlobs(patterns: readonly string[]): Glob {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map(compileGlob);
  if (globs.length === 0) return (text) => exact.has(text);
  return (text) => exact.has(text) || globs.some((glob) => glob(text));
}

/**
 * For paths: `*` stays within a segment, a segment of `**` stands for any number of them, none included. The time
 * is bounded by the path's segments times the longest run of the pattern's between two `**`. `compile` says what a
 * part of the pattern takes; what comes with a path is handed on to it.
 */
export function compilePath<Segment, Given>(
  pattern: string,
  compile: (part: string) => SegmentTest<Segment, Given>,
): (segments: readonly Segment[], given: Given) => boolean {
  const [first = [], ...others] = runsOf(pattern, compile);
  const last = others.pop();
  if (last === undefined) {
    return (path, given) => path.length === first.length && standsAt(first, path, 0, given);
  }
  const middle = others.filter((run) => run.length > 0);
  return (path, given) => {
    const end = path.length - last.length;
    if (end < first.length || !standsAt(first, path, 0, given) || !standsAt(last, path, end, given))
      return false;
    // As in a glob: the leftmost place of each run leaves the most room for the rest.
    let at = first.length;
    for (const run of middle) {
      while (at + run.length <= end && !standsAt(run, path, at, given)) at++;
      at += run.length;
      if (at > end) return false;
    }
    return true;
  };
}

type SegmentTest<Segment, Given> = (segment: Segment, given: Given) => boolean;

/** Of paths whose segments stand for themselves. */
export function compilePathGlob(pattern: string): (segments: readonly string[]) => boolean {
  const test = compilePath<string, undefined>(pattern, compileGlob);
  return (segments) => test(segments, undefined);
}

/** What stands before, between and after the `**`. */
function runsOf<Test>(pattern: string, compile: (part: string) => Test): readonly (readonly Test[])[] {
  let run: Test[] = [];
  const runs = [run];
  for (const part of segmentsOf(pattern)) {
    if (part === '**') {
      run = [];
      runs.push(run);
    } else run.push(compile(part));
  }
  return runs;
}

function standsAt<Segment, Given>(
  run: readonly SegmentTest<Segment, Given>[],
  segments: readonly Segment[],
  at: number,
  given: Given,
): boolean {
  for (let part = 0; part < run.length; part++) {
    const segment = segments[at + part];
    if (segment === undefined || run[part]?.(segment, given) !== true) return false;
  }
  return true;
}

function segmentsOf(path: string): readonly string[] {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '');
  return trimmed === '' ? [] : trimmed.split('/');
}
