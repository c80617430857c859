/** A file of hashes: `name:hash` a line; empty lines and those that begin with `#` are skipped. */
import { type Hash, readHash } from './hashes.ts';

export type Hashes = ReadonlyMap<string, KnownHash>;

export interface KnownHash {
  readonly hash: Hash;
  /** As the file has it. */
  readonly text: string;
}

/** Users' passwords can be guessed, so a bare digest is no protection for them. */
export type Holder = 'user' | 'api-key';

/**
 * The hashes by name, or what is wrong, with the line: `line 3: ...`. Lines are not quoted: what stands there by
 * mistake may be a secret.
 */
export function readHashFile(text: string, holder: Holder): Hashes | string {
  const hashes = new Map<string, KnownHash>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const at = index + 1;
    const colon = line.indexOf(':');
    if (colon < 1) return `line ${at}: a line reads \`name:hash\``;
    const name = line.slice(0, colon);
    if (name !== name.trim() || /\p{Cc}|\ufffd/u.test(name)) {
      return `line ${at}: the name holds blanks at its end, a control character, or is not UTF-8`;
    }
    if (hashes.has(name)) return `line ${at}: this name stands further up already; one of the two must go`;
    const text = line.slice(colon + 1).trim();
    const hash = readHash(text);
    if (typeof hash === 'string') return `line ${at}: ${hash}`;
    if (hash.kind === 'sha256' && holder === 'user') {
      return `line ${at}: a password can be guessed: make a \`$scrypt$\` hash of it with \`sluice hash\``;
    }
    hashes.set(name, { hash, text });
  }
  return hashes;
}
