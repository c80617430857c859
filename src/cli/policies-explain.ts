/** `sluice explain`: what would become of a request, and why. No value of a header is ever shown. */
import { writeDuration, writeSize } from '../config/units.ts';
import { type Bandwidth, type PolicyLimits, placeOf } from '../policy/document.ts';
import type { TestRequest } from '../policy/read/policy-test.ts';
import { exitCodes } from './actions.ts';
import { type Given, readInput } from './policies-input.ts';
import { type RequestFlags, readRequest } from './policies-request.ts';
import { createTrial, type Outcome, stepLine } from './policies-trial.ts';
import { failed, type Told } from './told.ts';

export interface ExplainFlags extends Given, RequestFlags {
  readonly json?: boolean | undefined;
}

export async function explainRequest(flags: ExplainFlags): Promise<Told> {
  const reading = readRequest(flags);
  if (reading.kind === 'invalid') return failed(reading.problems);
  const input = await readInput(flags);
  if (input.kind === 'invalid') return failed(input.problems);
  const outcome = await (await createTrial(input))(reading.request);
  const err = input.passedOver.map((name) => `${name}: not looked at`);
  const explanation = explain(outcome, reading.request);
  const out = flags.json ? [JSON.stringify(explanation, null, 2)] : inWords(explanation);
  return { code: exitCodes.done, out, err };
}

/** What is printed as JSON: absent is not so, or not known. */
export interface Explanation {
  readonly verdict: 'allow' | 'deny';
  readonly status?: number;
  readonly reason?: string;
  readonly policy?: string;
  /** Where the policy stands. */
  readonly origin?: string;
  readonly request: string;
  readonly endpoint?: string;
  readonly group?: string;
  /** That the URL names; none is all. */
  readonly indices?: readonly string[];
  readonly bodyIndices?: boolean;
  readonly queryIndices?: boolean;
  readonly cluster?: string;
  /** As they would be written in the policy. */
  readonly limits?: Readonly<Record<string, string>>;
  readonly headers?: { readonly set: readonly string[]; readonly remove: readonly string[] };
  readonly audited: readonly string[];
  readonly steps: Outcome['steps'];
}

function explain(outcome: Outcome, { method, target, length, source }: TestRequest): Explanation {
  const { verdict, status, reason, policy, document, cluster, audited, steps, subject } = outcome;
  const body = length === undefined ? 'no body' : length === 'chunked' ? 'a chunked body' : `${length} bytes`;
  return {
    verdict,
    ...(status !== undefined && { status, reason }),
    ...(policy !== '' && { policy }),
    ...(document && { origin: placeOf(document.origin) }),
    request: `${method} ${target}, ${body}, from ${source}`,
    ...(subject && {
      endpoint: subject.match.endpoint.name,
      group: subject.match.endpoint.group,
      indices: subject.match.indices,
      bodyIndices: subject.match.endpoint.bodyIndices,
      queryIndices: subject.queryNamesIndices,
    }),
    ...(cluster !== undefined && { cluster }),
    ...(verdict === 'allow' &&
      document && {
        limits: limitsOf(document.limits),
        headers: { set: document.headers.set.map(({ name }) => name), remove: document.headers.remove },
      }),
    audited,
    steps,
  };
}

function limitsOf(limits: PolicyLimits): Readonly<Record<string, string>> {
  const { bodyBytes, requestBandwidth, responseBandwidth, streams, requestRate, queue } = limits;
  const bandwidth = ({ rate, burst }: Bandwidth) => `${inUnits(rate)}/s (burst ${inUnits(burst)})`;
  return {
    ...(Number.isFinite(bodyBytes) && { bodyBytes: inUnits(bodyBytes) }),
    ...(requestBandwidth && { requestBandwidth: bandwidth(requestBandwidth) }),
    ...(responseBandwidth && { responseBandwidth: bandwidth(responseBandwidth) }),
    ...(Number.isFinite(streams) && { streams: String(streams) }),
    ...(requestRate && { requestRate: `${requestRate.rate}/s (burst ${requestRate.burst})` }),
    ...(queue && { queue: `${queue.depth} for ${writeDuration(queue.wait)}` }),
  };
}

/** `200MB` or `64KiB`, whichever is shorter. */
function inUnits(bytes: number): string {
  const [unit, size] = decimals.find(([, size]) => bytes % size === 0) ?? ['B', 1];
  const [decimal, binary] = [`${bytes / size}${unit}`, writeSize(bytes)];
  return decimal.length < binary.length ? decimal : binary;
}

const decimals: readonly (readonly [string, number])[] = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
];

function inWords(explanation: Explanation): readonly string[] {
  const { verdict, status, reason, policy, origin, request, audited, steps, cluster } = explanation;
  const by = policy === undefined ? '' : policy === 'default' ? ' by default' : ` by policy ${policy}`;
  const row = (name: string, text: string | undefined) =>
    text === undefined ? [] : [`  ${name.padEnd(9)} ${text}`];
  return [
    `${verdict.toUpperCase()}${status === undefined ? '' : ` ${status}`}${by}${reason === undefined ? '' : `: ${reason}`}`,
    ...row('request', request),
    ...row('endpoint', endpointInWords(explanation)),
    ...row('indices', indicesInWords(explanation)),
    ...row('policy', origin),
    ...row('cluster', cluster),
    ...row('limits', listed(Object.entries(explanation.limits ?? {}).map((limit) => limit.join(' ')))),
    ...row('sets', listed(explanation.headers?.set ?? [])),
    ...row('removes', listed(explanation.headers?.remove ?? [])),
    ...row('audited', listed(audited)),
    ...(steps.length === 0 ? [] : ['asked, in this order:']),
    ...steps.map((step) => `  ${stepLine(step)}`),
  ];
}

function listed(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : texts.join(', ');
}

function endpointInWords({ endpoint, group }: Explanation): string | undefined {
  if (endpoint === undefined) return undefined;
  return endpoint === 'unknown' ? 'unknown: no table lists it' : `${endpoint} (group ${group})`;
}

function indicesInWords({ indices, bodyIndices, queryIndices }: Explanation): string | undefined {
  if (indices === undefined) return undefined;
  const notes = [
    ...(queryIndices ? ['the query names some'] : []),
    ...(bodyIndices ? ['the body can name some'] : []),
  ];
  return [indices.length === 0 ? 'none in the path' : indices.join(', '), ...notes].join('; ');
}
