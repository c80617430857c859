/** What documents are checked against beside their own shape. All of it is handed in. */

export interface Wrong {
  readonly wrong: string;
  readonly fix: string;
}

export interface PolicyContext {
  /** That `route` may name; undefined: any. */
  readonly clusters: readonly string[] | undefined;
  /** Of the endpoint table. */
  readonly endpointNames: readonly string[];
  /**
   * Of a CEL expression; undefined: nothing is wrong. `column` counts from 1 within its line; where that is not the
   * first, `wrong` begins with it: `line 2: `.
   */
  readonly checkWhen: (source: string) => (Wrong & { readonly column?: number | undefined }) | undefined;
  /** Of one item of `match.indices`. */
  readonly checkIndices: (pattern: string) => Wrong | undefined;
}

/** Finds nothing wrong: for printing what documents look like. */
export const anyContext: PolicyContext = {
  clusters: [],
  endpointNames: [],
  checkWhen: () => undefined,
  checkIndices: () => undefined,
};
