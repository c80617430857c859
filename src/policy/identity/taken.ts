/** What becomes of the texts that hold hashes and keys, and what the operator is told of it. */

/** A text is taken in whole, or changes nothing. */
export type Taken =
  | {
      readonly kind: 'taken';
      /** Names or keys that it holds. */
      readonly entries: number;
      /** It says what was said before. */
      readonly same: boolean;
    }
  /** `wrong` holds nothing of the text, which may be a secret. */
  | { readonly kind: 'wrong'; readonly wrong: string };

export type IdentityEvent =
  /** Once for each file and each outage of a URL, however often it is tried. */
  | { readonly kind: 'trouble'; readonly why: string }
  /** Other hashes or keys are in effect, or what was in trouble is not any more. */
  | {
      readonly kind: 'read';
      /** The file, or the issuer whose URL it is. */
      readonly source: string;
      readonly entries: number;
      readonly recovered: boolean;
    };

export function wrong(what: string): Taken {
  return { kind: 'wrong', wrong: what };
}
