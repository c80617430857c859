/** The request of `sluice explain`, from its flags. */
import type { Problem } from '../config/load.ts';
import { type Reading, readSize } from '../config/units.ts';
import type { Principal } from '../policy/principal.ts';
import type { TestRequest } from '../policy/read/policy-test.ts';
import { readAddress, readMoment } from '../policy/read/texts.ts';

export interface RequestFlags {
  readonly method: string;
  readonly path: string;
  /** `x-team: a` */
  readonly header?: readonly string[] | undefined;
  readonly source: string;
  readonly length?: string | undefined;
  readonly principal?: readonly string[] | undefined;
  readonly time?: string | undefined;
}

export type RequestReading =
  | { readonly kind: 'request'; readonly request: TestRequest }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

/** What the proxy's parser has to judge is left as it is, however wrong. */
export function readRequest(flags: RequestFlags): RequestReading {
  const problems: Problem[] = [];
  const take = <T>(flag: string, reading: Reading<T>): T | undefined => {
    if (reading.kind === 'value') return reading.value;
    problems.push({ where: `--${flag}`, path: '', wrong: reading.wrong, fix: reading.fix });
    return undefined;
  };
  const each = <T>(flag: string, texts: readonly string[] | undefined, read: (text: string) => Reading<T>) =>
    (texts ?? []).flatMap((text) => take(flag, read(text)) ?? []);

  const request: TestRequest = {
    method: take('method', readLine(flags.method)) ?? '',
    target: take('path', readLine(flags.path)) ?? '',
    headers: each('header', flags.header, readHeader),
    source: take('source', readAddress(flags.source)) ?? '',
    length: flags.length === undefined ? undefined : take('length', readLength(flags.length)),
    principals: each('principal', flags.principal, readPrincipal),
    time: flags.time === undefined ? undefined : take('time', readMoment(flags.time)),
  };
  return problems.length > 0 ? { kind: 'invalid', problems } : { kind: 'request', request };
}

/** Another line would be another header. */
function readLine(text: string): Reading<string> {
  if (!/[\r\n]/.test(text)) return { kind: 'value', value: text };
  return { kind: 'wrong', wrong: 'is more than one line', fix: 'give one line' };
}

function readHeader(text: string): Reading<{ readonly name: string; readonly value: string }> {
  const line = readLine(text);
  if (line.kind === 'wrong') return line;
  const colon = text.indexOf(':');
  if (colon < 1) {
    return { kind: 'wrong', wrong: 'has no name and colon', fix: "write it as it is sent: 'x-team: a'" };
  }
  return { kind: 'value', value: { name: text.slice(0, colon), value: text.slice(colon + 1).trim() } };
}

function readLength(text: string): Reading<number | 'chunked'> {
  if (text === 'chunked') return { kind: 'value', value: text };
  return readSize(/^\d+$/.test(text) ? `${text}B` : text);
}

const kinds: Readonly<Record<string, Pick<Principal, 'kind' | 'verified'>>> = {
  user: { kind: 'user', verified: true },
  'claimed-user': { kind: 'user', verified: false },
  'api-key': { kind: 'api-key', verified: true },
  'claimed-api-key': { kind: 'api-key', verified: false },
};

/** An issuer is mostly a URL; a subject may hold colons, and claims are what follows the last where it holds a `=`. */
const token = /^((?:[a-z][a-z\d+.-]*:\/\/)?[^:]*(?::\d+(?=[/:]))?[^:]*):(.+?)(?::([^:=]+=.*))?$/i;

/** `user:alice`, `claimed-api-key:id`, `token:https://login.example:svc-loader:groups=admins,groups=ops` */
export function readPrincipal(text: string): Reading<Principal> {
  const colon = text.indexOf(':');
  const [prefix, rest] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  const of = Object.hasOwn(kinds, prefix) ? kinds[prefix] : undefined;
  if (of !== undefined && rest !== '') {
    return { kind: 'value', value: { ...of, name: rest, issuer: undefined, claims: undefined } };
  }
  const [, issuer, name, claims] = (prefix === 'token' && token.exec(rest)) || [];
  if (issuer !== undefined && name !== undefined) {
    return {
      kind: 'value',
      value: { kind: 'token', name, verified: true, issuer, claims: readClaims(claims) },
    };
  }
  return {
    kind: 'wrong',
    wrong: `${JSON.stringify(text)} is nobody`,
    fix: `write one of ${Object.keys(kinds).join(', ')}, a colon and the name, or token:ISSUER:SUBJECT:CLAIM=VALUE,...`,
  };
}

/** A claim that is given several times is a list. */
function readClaims(text: string | undefined): Record<string, unknown> {
  const pairs = (text ?? '').split(',').filter((pair) => pair.includes('='));
  const byName = Map.groupBy(pairs, (pair) => pair.slice(0, pair.indexOf('=')));
  return Object.fromEntries(
    [...byName].map(([claim, given]) => {
      const values = given.map((pair) => pair.slice(claim.length + 1));
      return [claim, values.length === 1 ? values[0] : values];
    }),
  );
}
