/**
 * Date math in index names: `<logs-{now/d}>`, `<logs-{now/d{yyyy.MM.dd|+12:00}}>`, as the servers'
 * DateMathExpressionResolver reads it. What is between braces may come out as anything: a date format can hold
 * quoted text, so that `<logs-{now{'*'}}>` means `logs-*`. Hence it is taken for a star.
 */

const whyBrace = 'date math with unbalanced braces';
const whyColon = 'date math with a colon that belongs to no time zone';
const whyEscape = 'date math with a backslash that escapes no brace';

/** The name between `<` and `>` as a pattern; or, where servers could read it differently, what is wrong. */
export function dateMathGlob(text: string): { readonly glob: string } | { readonly wrong: string } {
  let glob = '';
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (char === '{') {
      const end = placeholderEnd(text, at + 1);
      if (typeof end === 'string') return { wrong: end };
      glob += '*';
      at = end;
    } else if (char === '\\') {
      const escaped = text[at + 1];
      if (escaped !== '{' && escaped !== '}') return { wrong: whyEscape };
      glob += escaped;
      at += 2;
    } else {
      if (char === '}') return { wrong: whyBrace };
      if (char === ':') return { wrong: whyColon };
      glob += char;
      at++;
    }
  }
  // Before they knew date math by its `<`, servers looked for a remote cluster first: `<*:x>` was one.
  if (text.includes('*') && text.includes(':'))
    return { wrong: 'date math with both a wildcard and a colon' };
  return { glob };
}

/**
 * Where a placeholder ends whose text begins at `at`; or what is wrong. In the format a colon would make a
 * remote cluster or a selector of the name, and no index could hold it; only a time zone needs one.
 */
function placeholderEnd(text: string, at: number): number | string {
  let part: 'math' | 'format' | 'zone' | 'end' = 'math';
  for (let i = at; i < text.length; i++) {
    const char = text[i];
    if (char === '}') {
      if (part === 'math' || part === 'end') return i + 1;
      part = 'end';
    } else if (part === 'end') {
      return whyBrace;
    } else if (char === '{') {
      if (part !== 'math') return whyBrace;
      part = 'format';
    } else if (char === '|' && part === 'format') {
      part = 'zone';
    } else if (char === ':' && part !== 'zone') {
      return whyColon;
    } else if (char === '\\') {
      return whyEscape;
    }
  }
  return whyBrace;
}
