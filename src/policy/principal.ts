/** Who sent a request, as far as it is known. */

export interface Principal {
  readonly kind: 'user' | 'api-key' | 'token';
  /** The user, the id of the API key, or the token's subject. */
  readonly name: string;
  /** Proven to Sluice; otherwise only claimed, and for the server to check. */
  readonly verified: boolean;
  /** Of a token: who issued it and what it says. Undefined for the others. */
  readonly issuer: string | undefined;
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}
