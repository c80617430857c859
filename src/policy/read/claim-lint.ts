/** What policies give to a name that anybody may claim, since only the server looks at the password. */
import type { Problem } from '../../config/load.ts';
import type { PolicyDocument } from '../document.ts';
import type { When } from '../when.ts';

type Finding = Omit<Problem, 'where'>;

/** Limits that all share whom a policy lets in: all but those of a single request. */
const shared = ['streams', 'requestRate', 'requestBandwidth', 'responseBandwidth', 'queue'] as const;

/** Limits that wrong passwords use up: Sluice lets them in, and the server's 401 comes when the upload is over. */
export function claimedLimits(document: PolicyDocument, when: When | undefined): readonly Finding[] {
  const { action, match, limits } = document;
  // Who names networks has said who may.
  if (action.kind !== 'allow' || match.sources.length > 0 || !restsOnClaims(document, when)) return [];
  const name = shared.find((one) => limits[one] !== undefined && limits[one] !== Number.POSITIVE_INFINITY);
  if (name === undefined) return [];
  return [
    {
      path: `spec.limits.${name}`,
      wrong: 'has limits that anybody uses up who claims to be one of its principals, with a wrong password',
      fix: 'ask for users, apiKeys or a token, which Sluice verifies, or name the sources they come from',
    },
  ];
}

/** Whether it lets somebody in for what is only claimed. */
function restsOnClaims(
  { match: { principals }, when: source }: PolicyDocument,
  when: When | undefined,
): boolean {
  if (principals.length > 0) return principals.some(({ verified }) => !verified);
  return source !== undefined && when?.reads(source).has('principal') === true;
}
