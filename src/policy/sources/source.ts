/** Where policies come from. A source reads texts and tells of them; what they mean is for others to say. */

/** One file, object, answer or resource. */
export interface SourceText {
  /** Where it stands, for messages: a path, a URL, `s3://bucket/key`, `namespace/name`. */
  readonly name: string;
  readonly text: string;
}

/** What a source holds at one moment: never a mix of two. */
export type Snapshot =
  | { readonly kind: 'read'; readonly texts: readonly SourceText[]; readonly version: string }
  /** What is wrong and, after a semicolon, how to mend it. It holds no secret. */
  | { readonly kind: 'unreachable'; readonly why: string };

export interface PolicySource {
  /** For messages: the path, the URL, the bucket, the namespace. */
  readonly name: string;
  /** Called once. `onSnapshot` is called soon, and again whenever what is to be told has changed. */
  start(onSnapshot: (snapshot: Snapshot) => void): void;
  /** What became of a snapshot, for sources that can pass it on. */
  report?(outcome: Outcome): void;
  /** No snapshot is told of from here on. */
  close(): void;
}

export interface Outcome {
  /** Of the snapshot. */
  readonly version: string;
  /** It is in effect now; otherwise what was in effect stays. */
  readonly accepted: boolean;
  /** By the name of a text: what is wrong with it. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}
