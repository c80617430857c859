/** What a set of policies may count on in the proxy that it is read for. */

export interface Surroundings {
  /** The clusters that policies may route to; undefined: any name will do. */
  readonly clusters: readonly string[] | undefined;
  /** Undefined: it is not known, and anybody will do. */
  readonly verifies: Verifies | undefined;
}

/** Whose credentials the proxy verifies. Where it verifies none, a policy that asks for them would never match. */
export interface Verifies {
  readonly users: boolean;
  readonly apiKeys: boolean;
  /** Of tokens. */
  readonly issuers: readonly string[];
}

/** As the configuration has it: files of hashes, and issuers of tokens. */
export interface Verifiers {
  readonly users: string | undefined;
  readonly apiKeys: string | undefined;
  readonly tokens: readonly { readonly issuer: string }[];
}

export function verifiedBy({ users, apiKeys, tokens }: Verifiers): Verifies {
  return {
    users: users !== undefined,
    apiKeys: apiKeys !== undefined,
    issuers: tokens.map(({ issuer }) => issuer),
  };
}
