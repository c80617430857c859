/** Policies and requests as tests write them: what is left out is what the reader would fill in. */
import assert from 'node:assert/strict';
import { parseRequestHead, type RequestHead } from '../../src/http1/request-head.ts';
import { type BuildOptions, buildSet } from '../../src/policy/build.ts';
import type { PolicySet } from '../../src/policy/compile.ts';
import type { Match, PolicyDocument, PolicyLimits } from '../../src/policy/document.ts';
import type { Principal } from '../../src/policy/principal.ts';
import { describe, type Subject } from '../../src/policy/subject.ts';

export const noMatch: Match = {
  methods: [],
  endpoints: [],
  groups: [],
  effects: [],
  indices: [],
  paths: [],
  sources: [],
  headers: [],
  query: [],
  principals: [],
  contentTypes: [],
  length: undefined,
  times: [],
};

export const noLimits: PolicyLimits = {
  bodyBytes: Number.POSITIVE_INFINITY,
  requestBandwidth: undefined,
  responseBandwidth: undefined,
  streams: Number.POSITIVE_INFINITY,
  requestRate: undefined,
  queue: undefined,
};

export interface PolicyChange extends Partial<Omit<PolicyDocument, 'match' | 'limits'>> {
  readonly match?: Partial<Match>;
  readonly limits?: Partial<PolicyLimits>;
}

export function policy(name: string, change: PolicyChange = {}): PolicyDocument {
  return {
    name,
    order: 1000,
    origin: { source: `${name}.yaml`, line: 1, column: 1 },
    when: undefined,
    action: { kind: 'allow' },
    bodyIndices: 'refuse',
    cluster: undefined,
    headers: { set: [], remove: [] },
    ...change,
    match: { ...noMatch, ...change.match },
    limits: { ...noLimits, ...change.limits },
  };
}

export function deny(name: string, change: PolicyChange = {}): PolicyDocument {
  return policy(name, {
    action: { kind: 'deny', status: 403, reason: `Denied by policy ${name}.` },
    ...change,
  });
}

export function audit(name: string, change: PolicyChange = {}): PolicyDocument {
  return policy(name, {
    action: { kind: 'audit', status: 403, reason: `Denied by policy ${name}.` },
    ...change,
  });
}

/** In the order given. */
export async function setOf(
  documents: readonly PolicyDocument[],
  change: Partial<BuildOptions> = {},
): Promise<PolicySet> {
  const built = await buildSet(documents, {
    version: 'test',
    fallback: 'deny',
    secrets: { directory: undefined, environment: {} },
    ...change,
  });
  assert.ok(built.kind === 'built', JSON.stringify(built));
  return built.set;
}

export interface Asked {
  readonly fields?: readonly string[];
  readonly source?: string;
  readonly principals?: readonly Principal[];
  readonly time?: number;
}

/** `POST /logs-a/_bulk`, with more field lines. */
export function headOf(line: string, fields: readonly string[] = []): RequestHead {
  const text = `${line} HTTP/1.1\r\n${['Host: search', ...fields].join('\r\n')}\r\n\r\n`;
  const buffer = Buffer.from(text, 'latin1');
  const head = parseRequestHead(buffer, 0, buffer.length, { maxTarget: 65_536, maxFields: 100 });
  assert.ok(!('code' in head), JSON.stringify(head));
  return head;
}

export function subject(line: string, { fields, source, principals, time }: Asked = {}): Subject {
  const asked = describe(headOf(line, fields), {
    source: source ?? '10.0.0.1',
    principals: principals ?? [],
    time: time ?? Date.UTC(2026, 10, 23, 12),
  });
  assert.ok(!('code' in asked), JSON.stringify(asked));
  return asked;
}

export function user(name: string, verified = true): Principal {
  return { kind: 'user', name, verified, issuer: undefined, claims: undefined };
}
