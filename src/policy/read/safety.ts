/** What no set may hold, since it would let clients use what is not theirs, or nobody anything at all. */
import type { Problem } from '../../config/load.ts';
import { networkBits } from '../../networks.ts';
import { type PolicyDocument, type PolicyLimits, placeOf } from '../document.ts';
import { removesClaims, sendsCredentials } from '../server-fields.ts';
import type { When } from '../when.ts';

export function unsafe(policy: PolicyDocument, when: When): readonly Problem[] {
  const found: Finding[] = [...credentialsAtRisk(policy, when), ...nothingPasses(policy.limits)];
  const where = placeOf(policy.origin);
  return found.map((finding) => ({ where, ...finding, wrong: `policy ${policy.name} ${finding.wrong}` }));
}

type Finding = Omit<Problem, 'where'>;

/** Behind Sluice's own credentials, or behind none, the server asks nobody who they are: Sluice must know. */
function credentialsAtRisk(policy: PolicyDocument, when: When): readonly Finding[] {
  const { headers, match, when: source } = policy;
  if (!sendsCredentials(headers)) return removesClaims(headers) ? claimsAtRisk(policy, when) : [];
  const { principals, sources } = match;
  const read = source === undefined ? new Set<string>() : when.reads(source);
  if (principals.some(({ verified }) => !verified)) {
    return [
      {
        path: 'spec.match.principals',
        wrong:
          'rests on a principal that is only claimed and sends other credentials, which would let anyone in',
        fix: 'ask for users, apiKeys or a token, which Sluice verifies',
      },
    ];
  }
  if (principals.length > 0) return [];
  const byQuery = match.query.length > 0 ? 'spec.match.query' : 'spec.when';
  if (match.headers.length > 0 || match.query.length > 0 || read.has('headers') || read.has('query')) {
    return [
      {
        path: match.headers.length > 0 ? 'spec.match.headers' : byQuery,
        wrong:
          'lets a client reach the credentials that it sends to the server by a header or query of its own',
        fix: 'ask for principals that Sluice verifies as well',
      },
    ];
  }
  if (read.has('principal')) {
    return [
      {
        path: 'spec.when',
        wrong: 'sends credentials to the server, and its expression may be satisfied by a claimed principal',
        fix: 'name the principals in match.principals',
      },
    ];
  }
  const wide = sources.findIndex(isAlmostAnywhere);
  if (wide !== -1) {
    return [
      {
        path: `spec.match.sources[${wide}]`,
        wrong: `sends credentials to the server on behalf of anybody in ${sources[wide]}`,
        fix: 'name blocks no shorter than /8, or /16 of IPv6, or ask for principals',
      },
    ];
  }
  if (sources.length > 0) return [];
  return [
    {
      path: 'spec.headers.set',
      wrong: 'sends credentials to the server on behalf of anybody',
      fix: 'ask for principals, or name the sources that are trusted',
    },
  ];
}

/** The server would never see the password of a claim: whoever needs no password there would be let in by it. */
function claimsAtRisk(
  { match: { principals }, when: source }: PolicyDocument,
  when: When,
): readonly Finding[] {
  const wrong = 'removes authorization, so that nobody checks the principal that is only claimed';
  if (principals.some(({ verified }) => !verified)) {
    const fix =
      'leave authorization to the server, or ask for users, apiKeys or a token, which Sluice verifies';
    return [{ path: 'spec.match.principals', wrong, fix }];
  }
  if (principals.length > 0 || source === undefined || !when.reads(source).has('principal')) return [];
  const fix = 'leave authorization to the server, or name the principals in match.principals';
  return [{ path: 'spec.when', wrong: `${wrong} and by which its expression may be satisfied`, fix }];
}

/** Whether a block is too large to be a network that someone trusts. */
function isAlmostAnywhere(block: string): boolean {
  const network = networkBits(block);
  return network !== undefined && network.length - 1 < (network.startsWith('4') ? 8 : 16);
}

/** A limit of zero is a deny that takes a connection hostage. */
function nothingPasses(limits: PolicyLimits): readonly Finding[] {
  const zero: readonly (readonly [string, number | undefined])[] = [
    ['streams', limits.streams],
    ['requestRate', limits.requestRate?.rate],
    ['requestBandwidth', limits.requestBandwidth?.rate],
    ['responseBandwidth', limits.responseBandwidth?.rate],
  ];
  return zero
    .filter(([, value]) => value !== undefined && value <= 0)
    .map(([name]) => ({
      path: `spec.limits.${name}`,
      wrong: 'has a limit of zero, which lets nothing through',
      fix: 'write action: deny',
    }));
}

/** A star with text on both of its sides' stars has to be searched for, at some µs for each in a long text. */
const searching = /\*[^*]+\*/;
/** Of those in one set: together they stay under 5 ms for one request. */
const mostSearching = 200;

/** Patterns that strangers' paths and header values are searched by. Index patterns have a bound of their own. */
export function tooManySearches(policies: readonly PolicyDocument[]): readonly Problem[] {
  let count = 0;
  for (const { match, name, origin } of policies) {
    const texts = [...match.paths, ...[...match.headers, ...match.query].flatMap(({ values }) => values)];
    count += texts.filter((text) => searching.test(text.replaceAll('**', ''))).length;
    if (count <= mostSearching) continue;
    return [
      {
        where: placeOf(origin),
        path: 'spec.match',
        wrong: `policy ${name} brings the patterns of paths and headers that have text between two stars to more than ${mostSearching}`,
        fix: 'use patterns that begin or end with their text',
      },
    ];
  }
  return [];
}
