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
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
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

/** Any of them; none given matches nothing. Plain texts are looked up, not tried one by one. */
export function compileGlobs(patterns: readonly string[]): Glob {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map(compileGlob);
  if (globs.length === 0) return (text) => exact.has(text);
  return (text) => exact.has(text) || globs.some((glob) => glob(text));
}

/**
 * For paths: `*` stays within a segment, a segment of `**` stands for any number of them, none included. A path
 * holds few segments (path.ts), so the table of the last case stays small.
 */
export function compilePathGlob(pattern: string): (segments: readonly string[]) => boolean {
  const parts = segmentsOf(pattern).map((part) => (part === '**' ? undefined : compileGlob(part)));
  return (segments) => {
    // reach[i]: the parts so far can stand for the first i segments.
    let reach = [true, ...segments.map(() => false)];
    for (const part of parts) {
      const next = reach.map(() => false);
      for (const [index, reached] of reach.entries()) {
        if (part === undefined) next[index] = reached || (index > 0 && next[index - 1] === true);
        else if (index > 0) next[index] = reach[index - 1] === true && part(segments[index - 1] ?? '');
      }
      reach = next;
    }
    return reach.at(-1) === true;
  };
}

function segmentsOf(path: string): readonly string[] {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '');
  return trimmed === '' ? [] : trimmed.split('/');
}
