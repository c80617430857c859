/** What documents are checked against beside their own shape. All of it is handed in. */
import type { Surroundings } from '../surroundings.ts';

export interface Wrong {
  readonly wrong: string;
  readonly fix: string;
}

export interface PolicyContext extends Surroundings {
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
  verifies: undefined,
  endpointNames: [],
  checkWhen: () => undefined,
  checkIndices: () => undefined,
};
