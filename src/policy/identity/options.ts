/** What an operator says about credentials: issuers of tokens, files of hashes. */
import { holdsCredentials, isUnchangeable } from '../trusted-url.ts';

export interface IdentityOptions {
  readonly tokens: readonly TokenIssuer[];
  /** A file of hashes by user name. */
  readonly users: string | undefined;
  /** A file of hashes by the id of the API key. */
  readonly apiKeys: string | undefined;
}

export interface TokenIssuer {
  /** Exactly as `iss` says it. */
  readonly issuer: string;
  /** One of them must be `aud`, or in it. */
  readonly audiences: readonly string[];
  readonly jwks: KeySource;
  readonly algorithms: readonly string[];
  /** Milliseconds by which clocks may differ. */
  readonly clockTolerance: number;
  /** The claim that names who it is: `sub`, mostly. */
  readonly subjectClaim: string;
}

export type KeySource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly file: string };

/**
 * What tokens may be signed with (RFC 7518, section 3.1; RFC 8037; RFC 9864). No HMAC: whoever can check such a
 * signature can make one, and a public key taken for an HMAC secret is an old attack.
 */
export const asymmetricAlgorithms: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Why these issuers would be no protection, or can't be told apart; undefined where all is well. */
export function faultOfIssuers(issuers: readonly TokenIssuer[]): string | undefined {
  const seen = new Set<string>();
  for (const { issuer, audiences, algorithms, jwks } of issuers) {
    const fault = (what: string): string => `token issuer ${JSON.stringify(issuer)}: ${what}`;
    if (issuer === '') return fault('its name, as `iss` says it, is missing');
    if (seen.has(issuer)) return fault('it is given twice; one entry may hold several audiences');
    seen.add(issuer);
    if (audiences.length === 0) return fault("without an audience, tokens for anybody's service would do");
    if (algorithms.length === 0) return fault('it has no algorithm');
    const weak = algorithms.find((name) => !asymmetricAlgorithms.includes(name));
    if (weak !== undefined) return fault(`algorithm ${weak} is none of ${asymmetricAlgorithms.join(', ')}`);
    if (jwks.kind === 'url' && !isTrustworthy(jwks.url)) {
      return fault(
        'the URL of its keys must be https, or http to this host itself, without user or password',
      );
    }
  }
  return undefined;
}

function isTrustworthy(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && !holdsCredentials(url) && isUnchangeable(url);
}
