/**
 * Slashes inside a segment: `/logs/_doc/a%2Fb` is the document `a/b` to the servers, which split the raw path first and
 * decode what stands for a parameter afterwards (`RestController`, `PathTrie`). A hop on the way that decodes first
 * sends them another path. So such a slash may stand only in an id behind a word that fixes the route, and only where
 * no reading of the path asks for anything else.
 */
import { type EndpointMatch, possibleMatches } from './endpoints.ts';
import type { JudgedPath } from './path.ts';

/** The path as segments, in every way in which someone may read it: as the servers do first. */
export function readingsOf({ segments, slashed }: JudgedPath): readonly (readonly string[])[] {
  const split = segments.flatMap((segment, at) => (slashed.includes(at) ? segment.split('/') : [segment]));
  return [
    // So that no pattern takes a slash inside a segment for one between two.
    segments.map((segment, at) => (slashed.includes(at) ? segment.replaceAll('/', '%2F') : segment)),
    split,
    // As those do who merge slashes.
    split.filter((segment) => segment !== ''),
  ];
}

/** Words of routes begin so. Servers have some that no table lists, such as the typed ones of Elasticsearch 7. */
const word = /^_[a-z_]+$/i;

/** Why an encoded slash of a path may change its route; undefined where it can't. */
export function slashFault(method: string, path: JudgedPath, match: EndpointMatch): string | undefined {
  const { segments, slashed } = path;
  if (!slashed.every((at) => match.ids.includes(at))) return 'an encoded slash outside of an id';
  // Who merges slashes leaves nothing of it.
  if (slashed.some((at) => /^\/+$/.test(segments[at] ?? '')))
    return 'an encoded slash with nothing beside it';
  if (slashed.some((at) => segments[at]?.split('/').some((piece) => word.test(piece)))) {
    return 'an encoded slash beside a word of a route';
  }
  const [, ...decoded] = readingsOf(path);
  const changes = decoded.some((reading) =>
    possibleMatches(method, reading).some((other) => !isSame(other, match)),
  );
  return changes ? 'an encoded slash that makes another route where it is decoded' : undefined;
}

function isSame(one: EndpointMatch, other: EndpointMatch): boolean {
  return one.endpoint === other.endpoint && one.indices.join() === other.indices.join();
}
