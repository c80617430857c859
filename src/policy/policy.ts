/** One policy as a set holds it. */
import type { FieldNames } from '../http1/forward.ts';
import type { Condition } from './conditions.ts';
import type { PolicyDocument } from './document.ts';
import type { Subject } from './subject.ts';

/** What a `when:` was compiled to; an error is neither true nor false. */
export type WhenTest = (subject: Subject) => boolean | { readonly error: string };

/** What may not come from a document alone. */
export interface PolicyParts {
  /** Undefined where the document has no `when`. */
  readonly when: WhenTest | undefined;
  /** Complete field lines for the server, each with its CRLF: `headers.set`, its secrets filled in. */
  readonly headerLines: string;
  /** Fields of the client's that do not reach the server. */
  readonly droppedFields: FieldNames;
}

export interface Policy extends PolicyParts {
  readonly name: string;
  readonly document: PolicyDocument;
  readonly conditions: readonly Condition[];
}
