/** From documents to a set that can decide: fills in secrets and compiles expressions. */

import { setImmediate } from 'node:timers/promises';
import { dashed } from '../http1/fields.ts';
import { isNominated } from '../http1/forward.ts';
import { compilePolicy, compileSet, type PolicySet, type SetOptions } from './compile.ts';
import { mediaType, senseOf } from './conditions.ts';
import type { PolicyDocument } from './document.ts';
import { coversRequest, mayTouchIn } from './index-match.ts';
import type { Policy, WhenTest } from './policy.ts';
import type { Principal } from './principal.ts';
import { readHeaderValue, type SecretsOptions } from './secrets.ts';
import { droppedFields } from './server-fields.ts';
import type { Subject } from './subject.ts';
import type { When } from './when.ts';
import type { IndexReach } from './when-indices.ts';
import { secretHeaders, type WhenRequest } from './when-request.ts';

export interface BuildOptions extends SetOptions {
  /** `unread` leaves out all that policies set, for those who only look at what a set decides. */
  readonly secrets: SecretsOptions | 'unread';
}

export type Built =
  | { readonly kind: 'built'; readonly set: PolicySet }
  | { readonly kind: 'wrong'; readonly problems: readonly BuildProblem[] };

export interface BuildProblem {
  readonly document: PolicyDocument;
  /** In the document: `spec.headers.set[0]`. */
  readonly path: string;
  readonly wrong: string;
  readonly fix: string;
}

/** Milliseconds of work, after which requests have their turn. */
const slice = 20;

export async function buildSet(documents: readonly PolicyDocument[], options: BuildOptions): Promise<Built> {
  const problems: BuildProblem[] = [];
  const when = documents.some((document) => document.when !== undefined) ? await loadLibrary() : undefined;
  const { secrets } = options;
  const policies: Policy[] = [];
  let began = performance.now();
  for (const document of documents) {
    let headerLines = '';
    for (const [index, { name, value }] of document.headers.set.entries()) {
      if (secrets === 'unread') break;
      const reading = readHeaderValue(value, secrets);
      if (reading.kind === 'value') headerLines += `${name}: ${reading.value}\r\n`;
      else {
        const { wrong, fix } = reading;
        problems.push({ document, path: `spec.headers.set[${index}]`, wrong, fix });
      }
    }
    const test = compileWhen(document, when);
    policies.push(
      compilePolicy(document, { when: test, headerLines, droppedFields: droppedFields(document.headers) }),
    );
    if (performance.now() - began < slice) continue;
    await setImmediate();
    began = performance.now();
  }
  if (problems.length > 0) return { kind: 'wrong', problems };
  return { kind: 'built', set: compileSet(policies, options) };
}

/** It costs memory that a set without expressions need not pay. */
async function loadLibrary(): Promise<When> {
  const { loadWhen } = await import('./when.ts');
  return loadWhen();
}

function compileWhen(document: PolicyDocument, library: When | undefined): WhenTest | undefined {
  const { when: source, action } = document;
  if (source === undefined || library === undefined) return undefined;
  const test = library.compile(source);
  const reads = library.reads(source);
  const reachOf = (subject: Subject): IndexReach => ({
    covers: (patterns) => coversRequest(patterns, subject, document),
    touches: (patterns) => mayTouchIn(patterns, subject, document),
  });
  const reaches = reads.has('reach');
  if (!reads.has('headers')) {
    if (!reaches) return (subject) => test(whenRequests(subject).asNamed);
    return (subject) => test(whenRequests(subject).asNamed, reachOf(subject));
  }
  const catches = senseOf(action) === 'catches';
  return (subject) => {
    const { asNamed, alike } = whenRequests(subject);
    const reach = reaches ? reachOf(subject) : undefined;
    const outcome = test(asNamed, reach);
    // Whether a server reads `X_Team` as `X-Team` counts against the request.
    return alike === undefined || outcome !== !catches ? outcome : test(alike, reach);
  };
}

interface WhenRequests {
  readonly asNamed: WhenRequest;
  /** With `_` in names of fields as `-`; undefined where no name has one. */
  readonly alike: WhenRequest | undefined;
}

/** Several policies may ask about the same request. */
const requests = new WeakMap<Subject, WhenRequests>();

function whenRequests(subject: Subject): WhenRequests {
  let request = requests.get(subject);
  if (request === undefined) {
    const asNamed = toWhenRequest(subject);
    const underscored = [...asNamed.headers.keys()].some((key) => key.includes('_'));
    request = {
      asNamed,
      alike: underscored ? { ...asNamed, headers: headersOf(subject, dashed) } : undefined,
    };
    requests.set(subject, request);
  }
  return request;
}

function headersOf({ head }: Subject, nameOf: (key: string) => string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const { key, value } of head.fields.list) {
    const name = nameOf(key);
    if (secretHeaders.has(name) || isNominated(key, head.connection)) continue;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

const nobody: Principal = { kind: 'user', name: '', verified: false, issuer: undefined, claims: undefined };

function toWhenRequest(subject: Subject): WhenRequest {
  const { head, path, match, source, principals, time } = subject;
  const headers = headersOf(subject, (key) => key);
  const { kind, name, verified, issuer, claims } =
    principals.find((principal) => principal.verified) ?? principals[0] ?? nobody;
  return {
    method: head.method,
    path: path.text,
    query: head.query,
    headers,
    endpoint: match.endpoint.name,
    group: match.endpoint.group,
    indices: match.indices.flatMap((value) => value.split(',')),
    source,
    length: head.framing.kind === 'chunked' ? -1n : BigInt(head.contentLength ?? 0),
    chunked: head.framing.kind === 'chunked',
    contentType: mediaType(head.fields.get('content-type') ?? ''),
    principal: { kind: name === '' ? '' : kind, name, verified, issuer: issuer ?? '', claims: claims ?? {} },
    time: new Date(time),
  };
}
