/**
 * Policies as they are once read and checked: plain data with every default filled in, sizes in bytes, times in
 * milliseconds. The reader (read/) makes them from YAML in a process of its own; compile.ts makes a set of them.
 * What each field means is said once, in read/schema.ts, and printed in docs/policies.md.
 */

/** Where a document stands, for messages: `team-a.yaml:3:1`. */
export interface Origin {
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

/** As compilers name a place. */
export function placeOf({ source, line, column }: Origin): string {
  return `${source}:${line}:${column}`;
}

export interface PolicyDocument {
  readonly name: string;
  /** Lower ones are asked first; equal ones by name. */
  readonly order: number;
  readonly origin: Origin;
  readonly match: Match;
  /** A CEL expression over `request`; undefined is true. */
  readonly when: string | undefined;
  readonly action: Action;
  /** Whether endpoints whose body can name indices pass where `match.indices` restricts them. */
  readonly bodyIndices: 'refuse' | 'trust';
  /** The cluster to send to; undefined is `default`. */
  readonly cluster: string | undefined;
  readonly limits: PolicyLimits;
  readonly headers: HeaderChanges;
}

export type Action =
  | { readonly kind: 'allow' }
  /** The request goes on to the policies that follow; what a deny would have answered is logged. */
  | { readonly kind: 'audit'; readonly status: DenyStatus; readonly reason: string }
  | { readonly kind: 'deny'; readonly status: DenyStatus; readonly reason: string };

export type DenyStatus = 401 | 403 | 404 | 429;

/** Every part that is given must hold; of a list, one item must. An empty list was not given. */
export interface Match {
  readonly methods: readonly string[];
  /** Endpoint names, `*` for any run of characters: `bulk`, `indices.*`. */
  readonly endpoints: readonly string[];
  readonly groups: readonly EndpointGroup[];
  /** What a request may do by any endpoint; never of an allow. */
  readonly effects: readonly Effect[];
  /** Index names and wildcards: each index that the request can touch must be covered by one of them. */
  readonly indices: readonly string[];
  /** Decoded paths, `*` for any run of characters but `/`, `**` for any at all. */
  readonly paths: readonly string[];
  /** CIDR blocks of the client's address. */
  readonly sources: readonly string[];
  readonly headers: readonly HeaderMatch[];
  /** Parameters of the query, decoded. */
  readonly query: readonly QueryMatch[];
  readonly principals: readonly PrincipalMatch[];
  /** Media types without parameters, in lower case. */
  readonly contentTypes: readonly string[];
  readonly length: LengthMatch | undefined;
  readonly times: readonly TimeWindow[];
}

/** What an endpoint is for; `unknown` is every path that no table lists. */
export type EndpointGroup =
  | 'read'
  | 'write'
  | 'monitor'
  | 'manage'
  | 'security'
  | 'cluster-admin'
  | 'unknown';

/** What several endpoints can do; effects.ts says which. */
export type Effect = 'delete-index' | 'read-any-index' | 'write-any-index';

export interface HeaderMatch {
  /** In lower case. */
  readonly name: string;
  /** Any of them, `*` for any run of characters; empty asks only that the header is there. */
  readonly values: readonly string[];
}

export interface QueryMatch {
  /** Case counts. */
  readonly name: string;
  /** Any of them, `*` for any run of characters; empty asks only that the parameter is there. */
  readonly values: readonly string[];
}

/** Who is asking. Verified kinds were proven to Sluice; claimed ones only the server itself will check. */
export type PrincipalMatch =
  | { readonly kind: 'user' | 'api-key'; readonly verified: boolean; readonly names: readonly string[] }
  | {
      readonly kind: 'token';
      readonly verified: true;
      readonly issuer: string | undefined;
      readonly subjects: readonly string[];
      /** By claim, its values: one of them must be the claim, or in it where it is a list. */
      readonly claims: Readonly<Record<string, readonly string[]>>;
    };

/** Of the declared length; a chunked body declares none. */
export interface LengthMatch {
  readonly atLeast: number;
  readonly atMost: number;
  /** False lets bodies of undeclared length match as well. */
  readonly declared: boolean;
}

export interface TimeWindow {
  /** 0 is Sunday; empty is every day. */
  readonly days: readonly number[];
  /** Minutes since midnight; where `to` is not after `from`, the window runs past midnight. */
  readonly from: number;
  readonly to: number;
  /** An IANA name: `Europe/Berlin`. */
  readonly zone: string;
}

/** Shared by all that a policy lets in. Infinity is no limit. */
export interface PolicyLimits {
  /** Of one request's body, declared or counted. */
  readonly bodyBytes: number;
  readonly requestBandwidth: Bandwidth | undefined;
  readonly responseBandwidth: Bandwidth | undefined;
  /** Exchanges at once. */
  readonly streams: number;
  readonly requestRate: RequestRate | undefined;
  /** Where the policy's streams or rate are used up, so many wait, so long; undefined: none does. */
  readonly queue: { readonly depth: number; readonly wait: number } | undefined;
}

export interface Bandwidth {
  /** Bytes a second. */
  readonly rate: number;
  /** Bytes that may go at once after a pause. */
  readonly burst: number;
}

export interface RequestRate {
  /** A second. */
  readonly rate: number;
  readonly burst: number;
}

/** Towards the server. */
export interface HeaderChanges {
  readonly set: readonly HeaderSet[];
  /** In lower case. */
  readonly remove: readonly string[];
}

export interface HeaderSet {
  readonly name: string;
  readonly value: HeaderValue;
}

export type HeaderValue =
  | { readonly kind: 'text'; readonly text: string }
  /** A file inside `policies.secrets.directory`, read when the set is compiled; its trailing newline is dropped. */
  | { readonly kind: 'file'; readonly file: string }
  /** A variable of the environment, which must begin with `SLUICE_SECRET_`. */
  | { readonly kind: 'env'; readonly variable: string };
