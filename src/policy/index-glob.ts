/**
 * What patterns have in common whose only wildcard is `*`, any run of characters, the empty one included: all that
 * Elasticsearch and OpenSearch know in index expressions (Regex.simpleMatch).
 *
 * Whether a pattern contains another is found by matching the other's text, its stars looked at as one more
 * character, that only a star can take. That is exact: if it matches so, the star that took a star takes whatever
 * may stand there; if not, neither does it match the name in which a character stands there that it does not have.
 * As that is one name, a union of patterns contains another only where one of them does.
 */
import { compileGlob } from './glob.ts';

/** Whether any name is matched by both. */
export function overlap(one: string, other: string): boolean {
  if (!one.includes('*')) return compileGlob(other)(one);
  if (!other.includes('*')) return compileGlob(one)(other);
  // With a star in both there is room for what both ask for in the middle, one after the other.
  const heads = [literalHead(one), literalHead(other)] as const;
  const tails = [literalTail(one), literalTail(other)] as const;
  return (
    (heads[0].startsWith(heads[1]) || heads[1].startsWith(heads[0])) &&
    (tails[0].endsWith(tails[1]) || tails[1].endsWith(tails[0]))
  );
}

/** What everything that a pattern stands for begins with. */
export function literalHead(pattern: string): string {
  const star = pattern.indexOf('*');
  return star === -1 ? pattern : pattern.slice(0, star);
}

function literalTail(pattern: string): string {
  return pattern.slice(pattern.lastIndexOf('*') + 1);
}
