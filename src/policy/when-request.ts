/**
 * What an expression sees of a request, and how much of it. The sizes are what the cost of expressions is reckoned
 * with (when-cost.ts), so a request that outgrows one is an error for the expressions that read that part.
 */

/** A plain object, not to be changed once an expression has seen it. */
export interface WhenRequest {
  readonly method: string;
  /** Decoded. */
  readonly path: string;
  readonly query: string;
  /**
   * A `Map`, by names in lower case; several lines of one name joined with `, `. Without `secretHeaders`.
   */
  readonly headers: ReadonlyMap<string, string>;
  readonly endpoint: string;
  readonly group: string;
  /** As the URL names them; empty: it names none. */
  readonly indices: readonly string[];
  /** The client's address. */
  readonly source: string;
  /** The declared length in bytes; -1 where none is declared. */
  readonly length: bigint;
  readonly chunked: boolean;
  readonly contentType: string;
  readonly principal: WhenPrincipal;
  readonly time: Date;
}

/** What no expression sees: who holds a secret is for principals to say. */
export const secretHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'es-secondary-authorization',
]);

/** Empty texts where nobody is known. */
export interface WhenPrincipal {
  readonly kind: string;
  readonly name: string;
  readonly verified: boolean;
  readonly issuer: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export const limits = {
  /** Items of any list, entries of any map. */
  items: 256,
  /** Characters of a header that is read. */
  header: 2048,
  /** Characters of all indices together: they stand in the path. */
  indices: 4096,
  /** Of a token's claims: characters of one text, of all texts and keys, values, levels. */
  claim: 1024,
  claimsText: 16_384,
  claimsValues: 1024,
  claimsDepth: 8,
} as const;

/** Texts of the request, and how many characters each may have. */
export const requestTexts = {
  method: 64,
  path: 4096,
  query: 4096,
  endpoint: 256,
  group: 64,
  source: 64,
  contentType: 256,
} as const;

export const principalTexts = { kind: 64, name: 1024, issuer: 1024 } as const;

/** Parts that can be too large; `claims` is apart from the rest of the principal. */
export type WhenPart = keyof typeof requestTexts | 'headers' | 'indices' | 'principal' | 'claims';

/** The library tells types by their constructors. */
export class RequestView {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly endpoint: string;
  readonly group: string;
  readonly indices: readonly string[];
  readonly source: string;
  readonly length: bigint;
  readonly chunked: boolean;
  readonly contentType: string;
  readonly principal: PrincipalView;
  readonly time: Date;

  constructor(request: WhenRequest) {
    this.method = request.method;
    this.path = request.path;
    this.query = request.query;
    this.headers = request.headers;
    this.endpoint = request.endpoint;
    this.group = request.group;
    this.indices = request.indices;
    this.source = request.source;
    this.length = request.length;
    this.chunked = request.chunked;
    this.contentType = request.contentType;
    this.principal = new PrincipalView(request.principal);
    this.time = request.time;
  }
}

export class PrincipalView {
  readonly kind: string;
  readonly name: string;
  readonly verified: boolean;
  readonly issuer: string;
  /** Undefined where the claims are more than an expression may see. */
  readonly claims: ReadonlyMap<string, unknown> | undefined;

  constructor(principal: WhenPrincipal) {
    this.kind = principal.kind;
    this.name = principal.name;
    this.verified = principal.verified;
    this.issuer = principal.issuer;
    this.claims = claimsOf(principal.claims);
  }
}

export interface Seen {
  readonly context: { readonly request: RequestView };
  /** Parts that are too large. */
  readonly over: readonly WhenPart[];
}

const nothingOver: readonly WhenPart[] = [];
const textParts = Object.entries(requestTexts) as readonly (readonly [keyof typeof requestTexts, number])[];
const principalParts = Object.entries(principalTexts) as readonly (readonly [
  keyof typeof principalTexts,
  number,
])[];

/** Headers are looked at when it is known which of them are read: see `headersOver`. */
export function see(request: WhenRequest): Seen {
  const view = new RequestView(request);
  let over: WhenPart[] | undefined;
  const refuse = (part: WhenPart): void => {
    over ??= [];
    over.push(part);
  };
  for (const [part, most] of textParts) if (view[part].length > most) refuse(part);
  for (const [part, most] of principalParts) if (view.principal[part].length > most) refuse('principal');
  if (view.principal.claims === undefined) refuse('claims');
  if (view.indices.length > limits.items || charactersOf(view.indices) > limits.indices) refuse('indices');
  return { context: { request: view }, over: over ?? nothingOver };
}

/** Whether one of the headers that an expression reads, or any of them, is too long, or they are too many. */
export function headersOver(
  headers: ReadonlyMap<string, string>,
  read: ReadonlySet<string> | 'all',
): boolean {
  if (read !== 'all') {
    for (const name of read) if ((headers.get(name)?.length ?? 0) > limits.header) return true;
    return false;
  }
  if (headers.size > limits.items) return true;
  for (const [name, value] of headers) {
    if (name.length > limits.header || value.length > limits.header) return true;
  }
  return false;
}

function charactersOf(texts: readonly string[]): number {
  let characters = 0;
  for (const text of texts) characters += text.length;
  return characters;
}

/** A verified token's claims are one object for as long as the token is remembered. */
const converted = new WeakMap<object, ReadonlyMap<string, unknown> | 'too-much'>();

const noClaims: ReadonlyMap<string, unknown> = new Map();

function claimsOf(claims: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> | undefined {
  if (Object.keys(claims).length === 0) return noClaims;
  let known = converted.get(claims);
  if (known === undefined) {
    const result = convert(claims, { text: limits.claimsText, values: limits.claimsValues }, 1);
    known = result instanceof Map ? result : 'too-much';
    converted.set(claims, known);
  }
  return known === 'too-much' ? undefined : known;
}

/** What is left of the limits. */
interface Allowance {
  text: number;
  values: number;
}

/**
 * JSON with maps instead of objects: whoever signs a token chooses its keys, and in an object some of them, as
 * `constructor` or `__proto__`, mean something to JavaScript. Undefined where it is too much, or no JSON.
 */
function convert(value: unknown, left: Allowance, depth: number): unknown {
  if (--left.values < 0 || depth > limits.claimsDepth) return undefined;
  switch (typeof value) {
    case 'string':
      left.text -= value.length;
      return value.length <= limits.claim && left.text >= 0 ? value : undefined;
    case 'number':
    case 'boolean':
      return value;
    case 'object':
      if (value === null) return null;
      return Array.isArray(value) ? convertList(value, left, depth) : convertMap(value, left, depth);
    default:
      return undefined;
  }
}

function convertList(list: readonly unknown[], left: Allowance, depth: number): unknown {
  if (list.length > limits.items) return undefined;
  const items: unknown[] = [];
  for (const one of list) {
    const item = convert(one, left, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function convertMap(object: object, left: Allowance, depth: number): unknown {
  const entries = new Map<string, unknown>();
  for (const [key, one] of Object.entries(object)) {
    left.text -= key.length;
    if (key.length > limits.claim || left.text < 0 || entries.size === limits.items) return undefined;
    const value = convert(one, left, depth + 1);
    if (value === undefined) return undefined;
    entries.set(key, value);
  }
  return entries;
}
