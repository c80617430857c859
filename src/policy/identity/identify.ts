/** Who sent a request: what its Authorization field claims, and what of it Sluice can prove. */
import type { RequestHead } from '../../http1/request-head.ts';
import { readCredentials } from './credentials.ts';
import type { FetchLimits } from './fetch-text.ts';
import { Gate, type GateLimits } from './gate.ts';
import type { Holder } from './hash-file.ts';
import { type Identified, named, nobody, unauthenticated, unavailable, unread } from './identity.ts';
import { KeySet } from './key-set.ts';
import { KnownSecrets, type SecretLimits } from './known-secrets.ts';
import { faultOfIssuers, type IdentityOptions, type TokenIssuer } from './options.ts';
import { RemoteKeys, type RemoteKeysTimes } from './remote-keys.ts';
import type { IdentityEvent, Taken } from './taken.ts';
import { jwtness, type TokenLimits, Tokens } from './tokens.ts';
import { WatchedFile } from './watched-file.ts';

export interface Identity {
  /**
   * At once where nothing must be computed or fetched: no Authorization, only claimed, or verified lately.
   * Never throws or rejects. `source` is the client's address: what must be computed waits for its network's turn.
   */
  identify(head: RequestHead, source: string): Identified | Promise<Identified>;
  /** Looks at the files and fetches the keys now, instead of when it is time. */
  reload(): void;
  /** Stops watching and fetching. */
  close(): void;
}

/** Times in milliseconds. */
export interface IdentityLimits {
  /** Between two looks at a file. */
  readonly look: number;
  readonly secrets: SecretLimits;
  readonly secretGate: GateLimits;
  readonly tokens: TokenLimits;
  readonly tokenGate: GateLimits;
  readonly keys: RemoteKeysTimes;
  readonly fetch: FetchLimits;
}

/** Two computations at once leave half of libuv's four threads to files and names. */
export const identityLimits: IdentityLimits = {
  look: 1000,
  secrets: { cached: 4096, rightFor: 300_000, wrongFor: 60_000 },
  secretGate: { atOnce: 2, queue: 64 },
  tokens: { cached: 4096, cachedCharacters: 4 * 1024 * 1024 },
  tokenGate: { atOnce: 2, queue: 1024 },
  keys: { every: 600_000, retry: 5000, cooldown: 30_000 },
  fetch: { timeout: 5000, maxBytes: 256 * 1024 },
};

interface Watch {
  refresh(): void;
  close(): void;
}

/**
 * Throws where an issuer would be no protection or a file can't be read. `tell` hears of keys that can't be fetched
 * yet, of what goes wrong later, and of what is read anew, in words that hold no secret.
 */
export async function createIdentity(
  options: IdentityOptions,
  tell: (event: IdentityEvent) => void,
  limits: IdentityLimits = identityLimits,
): Promise<Identity> {
  const fault = faultOfIssuers(options.tokens);
  if (fault !== undefined) throw new Error(fault);
  const watches: Watch[] = [];
  const watchFile = async (file: string, accept: (text: string) => Taken): Promise<void> => {
    const watched = await WatchedFile.open({ file, accept, tell }, limits.look);
    watches.push({ refresh: () => void watched.look(), close: () => watched.close() });
  };
  const gate = new Gate(limits.secretGate);
  const secretsIn = async (file: string | undefined, holder: Holder): Promise<KnownSecrets | undefined> => {
    if (file === undefined) return undefined;
    const secrets = new KnownSecrets(holder, limits.secrets, gate);
    await watchFile(file, (text) => secrets.accept(text));
    return secrets;
  };
  const tokensOf = async (issuers: readonly TokenIssuer[]): Promise<Tokens | undefined> => {
    if (issuers.length === 0) return undefined;
    // 4 MB of memory, for those who ask for it.
    const [{ jwtVerify }, { createLocalJWKSet }] = await Promise.all([
      import('jose/jwt/verify'),
      import('jose/jwks/local'),
    ]);
    const tokens = new Tokens(jwtVerify, limits.tokens, new Gate(limits.tokenGate));
    const keysOf = async ({ issuer, jwks }: TokenIssuer): Promise<KeySet | RemoteKeys> => {
      const keys = new KeySet(createLocalJWKSet, () => tokens.forget());
      if (jwks.kind === 'file') {
        await watchFile(jwks.file, (text) => keys.accept(text));
        return keys;
      }
      const { keys: times, fetch } = limits;
      const remote = new RemoteKeys({ issuer, url: jwks.url, times, fetch, tell }, keys);
      watches.push(remote);
      return remote;
    };
    tokens.trust(
      await Promise.all(issuers.map(async (issuer) => ({ ...issuer, keys: await keysOf(issuer) }))),
    );
    return tokens;
  };
  const close = (): void => {
    for (const watch of watches) watch.close();
  };

  try {
    const tokens = await tokensOf(options.tokens);
    const known: Known = {
      basic: await secretsIn(options.users, 'user'),
      'api-key': await secretsIn(options.apiKeys, 'api-key'),
      bearer: tokens,
    };
    return {
      identify: (head, source) => {
        const identified = judge(head, source, known);
        return identified instanceof Promise ? identified.catch(failed) : identified;
      },
      reload: () => {
        for (const watch of watches) watch.refresh();
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

interface Known extends Readonly<Record<'basic' | 'api-key', KnownSecrets | undefined>> {
  readonly bearer: Tokens | undefined;
}

const holders = { basic: 'user', 'api-key': 'api-key' } as const;

function judge(head: RequestHead, address: string, known: Known): Identified | Promise<Identified> {
  const value = head.fields.get('authorization');
  if (value === undefined) return nobody;
  const credentials = readCredentials(value);
  switch (credentials.kind) {
    case 'other':
      return unread;
    case 'malformed':
      // Where nothing is verified here, it is the server that says what it thinks of them. But of Basic, OpenSearch takes
      // the first word, whatever follows: what Sluice reads as nobody's would be somebody's there.
      return credentials.scheme !== 'basic' && known[credentials.scheme] === undefined
        ? unread
        : unauthenticated('malformed', credentials.why);
    case 'bearer':
      return known.bearer === undefined ? unread : judgeToken(credentials.token, address, known.bearer);
    default: {
      const { kind, name, secret } = credentials;
      const secrets = known[kind];
      if (secrets === undefined) return named(holders[kind], name, false);
      return secrets.identify({ name, secret, address });
    }
  }
}

function judgeToken(token: string, address: string, tokens: Tokens): Identified | Promise<Identified> {
  switch (jwtness(token)) {
    case 'jwt':
      return tokens.identify(token, address);
    case 'broken':
      return unauthenticated('malformed', 'the token is malformed');
    case 'other':
      return unread;
  }
}

/** Where memory for scrypt lacks, say. */
const failed = (): Identified => unavailable('unavailable', 'the verification itself failed');
