/** What becomes of a request. */

import type { DenyStatus } from './document.ts';
import type { Policy } from './policy.ts';

export type Verdict =
  /** `policy` is undefined where the default lets it in. */
  | { readonly kind: 'allow'; readonly policy: Policy | undefined; readonly audited: readonly Policy[] }
  | {
      readonly kind: 'deny';
      /** Undefined where no policy matched and the default refuses. */
      readonly policy: Policy | undefined;
      readonly status: DenyStatus;
      readonly reason: string;
      readonly audited: readonly Policy[];
    };
