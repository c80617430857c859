/** What a cluster tells of its nodes and names, once each time that something changes. Never a secret. */

/** Names are `host:port`; `cause` says what failed and how. */
export type ClusterEvent =
  /** A node is left alone for so many milliseconds; `again`: no good answer came since the ejection before. */
  | {
      readonly kind: 'ejected';
      readonly node: string;
      readonly cause: string;
      readonly lasts: number;
      readonly again: boolean;
    }
  /** A node fails, and is used all the same, since too many others are ejected. Told once until it answers well. */
  | { readonly kind: 'kept'; readonly node: string; readonly cause: string }
  /** An ejected node has answered well. */
  | { readonly kind: 'back'; readonly node: string }
  /** No node is trusted: all of them are used. */
  | { readonly kind: 'all-ejected'; readonly nodes: number }
  /** A name has other addresses than before, or resolves again. */
  | {
      readonly kind: 'resolved';
      readonly name: string;
      readonly addresses: readonly string[];
      readonly joined: readonly string[];
      readonly left: readonly string[];
    }
  /** A name does not resolve; `addresses` are those of its last good answer, which stay in use. */
  | {
      readonly kind: 'unresolved';
      readonly name: string;
      readonly cause: string;
      readonly addresses: readonly string[];
    };

export type OnClusterEvent = (event: ClusterEvent) => void;
