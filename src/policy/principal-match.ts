/** Whether a principal is one of those a policy names. */
import type { PrincipalMatch } from './document.ts';
import { compileGlobs } from './glob.ts';
import type { Principal } from './principal.ts';

/** A verified principal is also what it claims to be: it satisfies a policy that asks for the claim alone. */
export function comparePrincipal(match: PrincipalMatch): (principal: Principal) => boolean {
  if (match.kind !== 'token') {
    const named = compileGlobs(match.names);
    return ({ kind, name, verified }) => kind === match.kind && (verified || !match.verified) && named(name);
  }
  const { issuer, subjects } = match;
  const named = compileGlobs(subjects);
  const claims = Object.entries(match.claims).map(([claim, values]) => ({
    claim,
    wanted: compileGlobs(values),
  }));
  return (principal) =>
    principal.kind === 'token' &&
    principal.verified &&
    (issuer === undefined || principal.issuer === issuer) &&
    (subjects.length === 0 || named(principal.name)) &&
    claims.every(({ claim, wanted }) => valuesOf(principal, claim).some(wanted));
}

/** A claim as texts: itself, or the items of its list. Objects are not compared, nor numbers that JSON can't hold. */
function valuesOf({ claims }: Principal, claim: string): readonly string[] {
  if (claims === undefined || !Object.hasOwn(claims, claim)) return [];
  const value = claims[claim];
  return (Array.isArray(value) ? value : [value]).flatMap((item: unknown) =>
    typeof item === 'string' || typeof item === 'boolean' || isExact(item) ? [String(item)] : [],
  );
}

/** Of integers beyond 2^53 several are read as one: a tenant could be taken for another. */
function isExact(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}
