/** The Authorization field, read but not believed (RFC 9110, section 11.6.2; RFC 7617; RFC 6750). */

export type Credentials =
  /** A scheme that says nothing about who is asking, as far as Sluice reads it. */
  | { readonly kind: 'other' }
  | { readonly kind: 'basic' | 'api-key'; readonly name: string; readonly secret: string }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'malformed'; readonly scheme: 'basic' | 'api-key' | 'bearer'; readonly why: string };

const other: Credentials = { kind: 'other' };

/** The scheme in any case, a space, and blanks around the rest, as Elasticsearch takes it. */
const shape = /^([\w-]+) [ \t]*(.*)$/;

/** `value` is that of the field, latin1, as the head holds it. */
export function readCredentials(value: string): Credentials {
  const parts = shape.exec(value);
  const rest = parts?.[2] ?? '';
  switch (parts?.[1]?.toLowerCase()) {
    case 'basic':
      return readPair('basic', rest);
    case 'bearer':
      return rest === '' ? other : { kind: 'bearer', token: rest };
    case 'apikey':
      return hidesToken(value) ? hidden : readPair('api-key', rest);
    default:
      return hidesToken(value) ? hidden : other;
  }
}

const hidden: Credentials = { kind: 'malformed', scheme: 'bearer', why: 'a token stands where none belongs' };

/**
 * OpenSearch takes what follows `bearer ` for a token, wherever that stands, and a JWT without a scheme (its
 * HTTPJwtAuthenticator; not behind `Basic`).
 */
function hidesToken(value: string): boolean {
  return /bearer /i.test(value) || /^[^.\s]+\.[^.\s]+\.[^.\s]*$/.test(value);
}

/**
 * What `java.util.Base64` takes, by which the servers read: padding may be missing, never wrong. Were Sluice
 * stricter, a request could pass here as nobody's and there as a user's.
 */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const controls = /\p{Cc}/u;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `name:secret`; the secret may hold colons. Whatever is malformed here names nobody to Elasticsearch either. */
function readPair(scheme: 'basic' | 'api-key', encoded: string): Credentials {
  const malformed = (why: string): Credentials => ({ kind: 'malformed', scheme, why });
  if (!base64.test(encoded)) return malformed('the credentials are not base64');
  let text: string;
  try {
    text = utf8.decode(Buffer.from(encoded, 'base64'));
  } catch {
    return malformed('the credentials are not UTF-8');
  }
  const colon = text.indexOf(':');
  if (colon === -1) return malformed('the credentials hold no colon');
  if (colon === 0) return malformed('the credentials hold no name');
  if (controls.test(text)) return malformed('the credentials hold a control character');
  return { kind: scheme, name: text.slice(0, colon), secret: text.slice(colon + 1) };
}
