/** `spec.match`: which requests a policy is about. */
import { z } from 'zod';
import { readNetwork } from '../../config/address.ts';
import { nearest } from '../../config/nearest.ts';
import { read, refuse, size } from '../../config/quantities.ts';
import type { Reading } from '../../config/units.ts';
import type { EndpointGroup } from '../document.ts';
import { effects } from '../effects.ts';
import { compileGlob } from '../glob.ts';
import { maxItems } from './bounds.ts';
import type { PolicyContext } from './context.ts';
import { principalSchema } from './principal-schema.ts';
import { maxProblems } from './problems.ts';
import {
  headerNamePattern,
  quoted,
  readFieldText,
  readHeaderName,
  readMediaType,
  readPathPattern,
  readText,
  readTimeOfDay,
  readZone,
  timeOfDayPattern,
} from './texts.ts';

/** The others are refused before any policy is asked. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const;

/** `all` is each of them. */
export const allGroups = [
  'read',
  'write',
  'monitor',
  'manage',
  'security',
  'cluster-admin',
  'unknown',
] as const satisfies readonly EndpointGroup[];

/** As JavaScript counts them. */
export const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

/** An empty list would say nothing, or everything: who writes one has lost what should be in it. */
function list<T extends z.ZodType>(item: T) {
  return z.array(item).min(1).max(maxItems).optional();
}

const anySize = { min: 0, max: Number.MAX_SAFE_INTEGER };

const header = z.strictObject({
  name: read(readHeaderName).meta({
    description: 'In any case',
    pattern: headerNamePattern,
    examples: ['x-team'],
  }),
  values: list(read(readFieldText).meta({ examples: ['team-*'] })).describe(
    'Any of them, `*` for any run of characters; absent asks only that the header is there',
  ),
});

const parameter = z.strictObject({
  name: read(readText).meta({ description: 'As servers spell it; case counts', examples: ['pipeline'] }),
  values: list(read(readText).meta({ examples: ['team-a-*'] })).describe(
    'Any of them, decoded, `*` for any run of characters; absent asks only that the parameter is there',
  ),
});

const length = z
  .strictObject({
    atLeast: size(anySize).prefault(0).describe('Bytes'),
    atMost: size(anySize).optional().describe('Bytes; absent is without end'),
    declared: z
      .boolean()
      .prefault(true)
      .describe('false lets chunked bodies, which declare none, match as well'),
  })
  .check((context) => {
    const { atLeast, atMost } = context.value;
    if (atMost === undefined || atLeast <= atMost) return;
    refuse(context, { wrong: 'is less than atLeast', fix: 'exchange the two', path: ['atMost'] });
  });

const time = z
  .strictObject({
    days: list(z.enum(weekdays).meta({ examples: ['Mon'] })).describe(
      'On which it begins; absent is every day',
    ),
    from: read(readTimeOfDay)
      .prefault('00:00')
      .meta({ description: 'This minute included', pattern: timeOfDayPattern, examples: ["'08:00'"] }),
    to: read(readTimeOfDay)
      .prefault('24:00')
      .meta({
        description: 'This minute not; before `from` it is one of the next day',
        pattern: timeOfDayPattern,
        examples: ["'18:00'"],
      }),
    zone: read(readZone)
      .prefault('UTC')
      .meta({ description: 'An IANA name', examples: ['Europe/Berlin'] }),
  })
  .check((context) => {
    const { from, to } = context.value;
    if (from === to) {
      const fix = 'write different ones, or leave both out for the whole day';
      refuse(context, { wrong: 'from and to are the same', fix, path: ['to'] });
    }
    if (from === 24 * 60)
      refuse(context, { wrong: 'no day has this minute', fix: "write '00:00'", path: ['from'] });
  });

export function matchSchema(context: PolicyContext) {
  const { endpointNames, checkIndices } = context;
  const known = new Set(endpointNames);
  let guesses = 0;
  const readEndpoint = (pattern: string): Reading<string> => {
    const glob = compileGlob(pattern);
    if (known.has(pattern) || (pattern.includes('*') && endpointNames.some(glob))) {
      return { kind: 'value', value: pattern };
    }
    // A guess takes a millisecond, and no more are shown.
    const meant = guesses++ < maxProblems ? nearest(pattern, endpointNames) : undefined;
    const fix = meant === undefined ? 'remove it, or match by paths' : `did you mean ${meant}?`;
    return { kind: 'wrong', wrong: `there is no endpoint ${quoted(pattern)}`, fix };
  };
  const readIndices = (pattern: string): Reading<string> => {
    const text = readText(pattern);
    if (text.kind === 'wrong') return text;
    const refused = checkIndices(pattern);
    if (refused === undefined) return text;
    return { kind: 'wrong', wrong: `${quoted(pattern)} is no pattern: ${refused.wrong}`, fix: refused.fix };
  };

  return z.strictObject({
    methods: list(z.enum(methods).meta({ examples: ['POST'] })).describe('Of the request'),
    endpoints: list(read(readEndpoint).meta({ examples: ['indices.*'] })).describe(
      'Names of endpoints, `*` for any run of characters',
    ),
    groups: list(z.enum([...allGroups, 'all']).meta({ examples: ['write'] })).describe(
      'What an endpoint is for; `unknown` is every path that no table lists, which an allow lets in only where it names it here, in endpoints or by paths, and every deny or audit catches; `all` is every group, `unknown` among them',
    ),
    effects: list(z.enum(effects).meta({ examples: ['delete-index'] })).describe(
      'Of deny and audit: what a request may do, by whatever endpoint; `delete-index`: delete, replace or empty an index, now or later; `read-any-index`, `write-any-index`: of an index that its URL does not name',
    ),
    indices: list(read(readIndices).meta({ examples: ['logs-a-*'] })).describe(
      'Names and wildcards; they must cover every index that the request can touch',
    ),
    paths: list(read(readPathPattern).meta({ examples: ["'/_plugins/**'"] })).describe(
      'Decoded paths, `*` for any run of characters within a segment, `**` for any segments',
    ),
    sources: list(read(readNetwork).meta({ examples: ['10.1.0.0/16'] })).describe(
      "Blocks (CIDR) or single ones of the client's address",
    ),
    headers: list(header).describe('All of them must fit'),
    query: list(parameter).describe(
      'Parameters of the query, all of which must fit. With indices beside it, a `pipeline` is let in only by a policy that names it here: it can write to any index',
    ),
    principals: list(principalSchema(context)).describe('Who is asking; each item is of one kind'),
    contentTypes: list(read(readMediaType).meta({ examples: ['application/x-ndjson'] })).describe(
      'Media types without parameters',
    ),
    length: length.optional().describe('Of the body, as declared'),
    times: list(time).describe('Windows of time, in their own zones'),
  });
}
