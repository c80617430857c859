/** Who sent a request, as far as it is known. */

export interface Principal {
  readonly kind: 'user' | 'api-key' | 'token';
  /** The user, the id of the API key, or the token's subject. */
  readonly name: string;
  /** Proven to Sluice; otherwise only claimed, and for the server to check. */
  readonly verified: boolean;
  /** Of a token: who issued it and what it says. Undefined for the others. */
  readonly issuer: string | undefined;
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}

/**
 * For the log: `user alice`, and `user alice?` of one that is only claimed. Strangers choose their names: one that could
 * be read as something else, as several principals, or as nothing at all stands in quotes, and what does not show is
 * escaped as in JSON.
 */
export function shownPrincipal({ kind, name, verified }: Principal): string {
  return `${kind} ${odd.test(name) ? quoted(name) : name}${verified ? '' : '?'}`;
}

const odd = /[\s",?\p{C}\p{Z}]/u;

function quoted(name: string): string {
  return JSON.stringify(name).replace(/[\p{C}\p{Z}]/gu, (char) => (char === ' ' ? char : escaped(char)));
}

function escaped(char: string): string {
  let text = '';
  for (let at = 0; at < char.length; at++) text += `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
}
