/**
 * What a connection must offer so that a body can be copied through user space: between two kinds of transport,
 * and between any two connections of `streams`. The engine's own relays never come here.
 */
import type { Connection, EndKind } from './contract.ts';

/** What a copying relay asks for at once, and so the most that it holds. */
export const BLOCK = 64 * 1024;

/** `bytes` are a view, valid until the next call on that connection. */
export type ReadResult = { readonly kind: 'data'; readonly bytes: Buffer } | { readonly kind: EndKind };

export interface ByteConnection extends Connection {
  /** It is broken because its peer's host stopped acknowledging. */
  readonly lost: boolean;

  /**
   * Waits for at least one byte and gives at most `maxBytes`, those behind an earlier head first. Bytes that came
   * before a FIN or a reset are given before its `end` or `reset`, which every later read then repeats.
   */
  read(maxBytes: number): Promise<ReadResult>;

  /** Ends a `read` that waits as `closed`, nothing lost; the connection lives on for its next reader. */
  cancelRead(): void;

  /** Puts bytes that were read, but belong to what comes next, back in front. The bytes are copied. */
  unread(bytes: Uint8Array): void;

  /**
   * Writes behind whatever `send` has queued. Resolves with true when the kernel, or a bounded buffer, has taken
   * all of it: `bytes` may be overwritten from then on. False when the connection is closed or broken.
   */
  write(bytes: Uint8Array): Promise<boolean>;

  /**
   * Called once, when it is known that nothing written can arrive any more: reset by the peer, or closed here;
   * in a later turn when that is so already. One listener at a time; null takes it back.
   */
  onBroken(listener: (() => void) | null): void;
}

/** Tells whether a connection can be copied from and to. Every transport's can; a test double's may not. */
export function isByteConnection(connection: Connection): connection is ByteConnection {
  return 'unread' in connection && 'write' in connection;
}
