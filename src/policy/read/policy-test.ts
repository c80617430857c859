/** Tests of policies as they are once read: a request, and what is to become of it. */
import type { Origin } from '../document.ts';
import type { Principal } from '../principal.ts';

export interface PolicyTestDocument {
  readonly name: string;
  readonly origin: Origin;
  readonly tests: readonly PolicyTest[];
}

export interface PolicyTest {
  /** As given, or the method and the path. */
  readonly name: string;
  readonly origin: Origin;
  readonly request: TestRequest;
  readonly expect: TestExpectation;
}

export interface TestRequest {
  readonly method: string;
  /** As a client sends it: the path, encoded, and a query if there is one. */
  readonly target: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** The client's address. */
  readonly source: string;
  /** Bytes declared; undefined is no body. */
  readonly length: number | 'chunked' | undefined;
  readonly principals: readonly Principal[];
  /** Milliseconds since 1970; undefined is when the test runs. */
  readonly time: number | undefined;
}

/** Undefined is not looked at. */
export interface TestExpectation {
  readonly verdict: 'allow' | 'deny';
  /** `default` where no policy is to match. */
  readonly policy: string | undefined;
  readonly status: number | undefined;
  readonly cluster: string | undefined;
  /** The policies that log what they would have denied, in any order. */
  readonly audited: readonly string[] | undefined;
}
