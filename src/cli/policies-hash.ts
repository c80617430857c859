/** `sluice hash`: the hash of a secret, for a line of the files that identity reads. */
import type { Readable } from 'node:stream';
import { digestKey, hashSecret } from '../policy/identity/hashes.ts';
import { exitCodes } from './actions.ts';
import type { Told } from './told.ts';

export interface HashFlags {
  /** Of an API key: long and random, so that a bare digest will do. */
  readonly apiKey?: boolean | undefined;
}

/** Far more than any secret is long. */
const maxBytes = 8192;

/** `input` is never a terminal's: it would show the secret. Nor is an argument one: all who list processes see it. */
export async function hash(
  input: Readable & { readonly isTTY?: boolean | undefined },
  { apiKey }: HashFlags,
): Promise<Told> {
  if (input.isTTY) {
    const why = 'a terminal would show the secret; pipe it: printf %s "$PASSWORD" | sluice hash';
    return { ...wrong(why), code: exitCodes.commandLine };
  }
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of input) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > maxBytes)
      return wrong(`what is piped in is longer than ${maxBytes} bytes; pipe the secret alone`);
  }
  // Most tools end their output with a newline.
  const secret = Buffer.concat(pieces)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (secret === '') return wrong('nothing was piped in; printf %s "$PASSWORD" | sluice hash');
  if (/\p{Cc}|\ufffd/u.test(secret))
    return wrong('the secret is not one line of UTF-8; pipe the secret alone');
  return { code: exitCodes.done, out: [apiKey ? digestKey(secret) : hashSecret(secret)], err: [] };
}

/** What is piped in counts as a file. */
function wrong(what: string): Told {
  return { code: exitCodes.file, out: [], err: [`sluice: ${what}`] };
}
