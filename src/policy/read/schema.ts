/**
 * The one schema of a `Policy` document. The JSON Schema for editors (docs/policy.schema.json) and the reference
 * (docs/policies.md) are printed from it; documents.ts makes a `PolicyDocument` of what it reads.
 */
import { z } from 'zod';
import { always, count, duration, hour, read, refuse, size } from '../../config/quantities.ts';
import { longestSource } from '../when.ts';
import type { PolicyContext } from './context.ts';
import { headersSchema } from './header-schema.ts';
import { matchSchema } from './match-schema.ts';
import {
  bandwidthPattern,
  defaultBurst,
  defaultRequestBurst,
  readBandwidth,
  readRequestRate,
  requestRatePattern,
} from './rates.ts';
import { namePattern, quoted, readName, readReason } from './texts.ts';

export const apiVersion = 'sluice.dev/v1alpha1';

export const metadata = z
  .looseObject({
    name: read(readName).meta({
      description: 'Lower-case letters, digits, `-` and `.`; each name once in a set',
      pattern: namePattern,
      examples: ['team-a-writes'],
    }),
    namespace: z.string().optional().describe('Of Kubernetes; not looked at'),
    labels: z.record(z.string(), z.string()).optional().describe('Of Kubernetes; not looked at'),
    annotations: z.record(z.string(), z.string()).optional().describe('Of Kubernetes; not looked at'),
  })
  .meta({ examples: ['metadata: {name: team-a-writes}'] });

/** Kubernetes writes it back. */
export const status = z.unknown().optional().describe("Kubernetes' own; not looked at");

const anyCount = { min: 0, max: 1_000_000 };
const anySize = { min: 0, max: Number.MAX_SAFE_INTEGER };

const rate = read(readBandwidth).meta({
  description: 'Bytes a second, shared by all that the policy lets in',
  format: 'rate',
  pattern: bandwidthPattern,
  examples: ['50MB/s'],
});

const bandwidth = z
  .union([
    rate,
    z.strictObject({
      rate,
      burst: size(anySize)
        .optional()
        .describe(
          "Bytes that may go at once after a pause; absent is a tenth of a second's worth, at least 64 KiB",
        ),
    }),
  ])
  .transform((given) => (typeof given === 'number' ? { rate: given, burst: undefined } : given))
  .transform(({ rate, burst }) => ({ rate, burst: burst ?? defaultBurst(rate) }))
  .meta({ format: 'rate', examples: ['50MB/s'] });

const perSecond = read(readRequestRate).meta({
  description: 'Requests a second, minute or hour',
  format: 'rate',
  pattern: requestRatePattern,
  examples: ['100/s'],
});

const requestRate = z
  .union([
    perSecond,
    z.strictObject({
      rate: perSecond,
      burst: count(anyCount)
        .optional()
        .describe("Requests that may come at once after a pause; absent is one second's worth, at least 1"),
    }),
  ])
  .transform((given) => (typeof given === 'number' ? { rate: given, burst: undefined } : given))
  .transform(({ rate, burst }) => ({ rate, burst: burst ?? defaultRequestBurst(rate) }))
  .meta({ format: 'rate', examples: ['100/s'] });

const limits = z
  .strictObject({
    bodyBytes: size(anySize)
      .optional()
      .describe("Of one request's body, declared or counted; 413 above it, and a chunked body is cut there"),
    requestBandwidth: bandwidth.optional().describe('Of request bodies: a rate alone, or with its burst'),
    responseBandwidth: bandwidth.optional().describe('Of response bodies: a rate alone, or with its burst'),
    streams: count(anyCount)
      .optional()
      .meta({ description: 'Requests at once; 429 above it', examples: [8] }),
    requestRate: requestRate
      .optional()
      .describe('Requests by time: a rate alone, or with its burst; 429 above it'),
    queue: z
      .strictObject({
        depth: count(anyCount).meta({ description: 'Requests that may wait', examples: [16] }),
        wait: duration({ min: 0, max: hour }).prefault('5s').describe('So long; then 429 with Retry-After'),
      })
      .optional()
      .describe('Where streams or requestRate are used up'),
  })
  .check(
    always((context) => {
      const given = Object.keys(context.value);
      if (!given.includes('queue') || given.includes('streams') || given.includes('requestRate')) return;
      const fix = 'add streams or requestRate beside it, or remove it';
      refuse(context, { wrong: 'nothing here makes a request wait', fix, path: ['queue'] });
    }),
  );

/** Of a place in a text, line and column counted from 1. */
function charactersTo(text: string, line: number, column: number | undefined): number | undefined {
  if (column === undefined) return undefined;
  const before = text.split('\n').slice(0, line - 1);
  return before.reduce((sum, { length }) => sum + length + 1, 0) + column - 1;
}

const actions = ['allow', 'deny', 'audit'] as const;

function specSchema(known: PolicyContext) {
  return z
    .strictObject({
      order: count(anyCount)
        .prefault(1000)
        .describe('Lower ones are asked first, equal ones by name; the first that matches decides'),
      match: matchSchema(known)
        .prefault({})
        .describe('Every part that is given must hold; of a list, one item must'),
      when: z
        .string()
        .min(1)
        .max(longestSource)
        .optional()
        .check((context) => {
          const { value } = context;
          if (value === undefined || value === '' || value.length > longestSource) return;
          const refused = known.checkWhen(value);
          if (refused === undefined) return;
          const [prefix, line = '1'] = /^line (\d+): /.exec(refused.wrong) ?? [''];
          const wrong = refused.wrong.slice(prefix.length);
          refuse(context, {
            wrong,
            fix: refused.fix,
            into: charactersTo(value, Number(line), refused.column),
          });
        })
        .meta({
          description: 'A CEL expression over `request` that must be true as well',
          examples: ['\'request.headers["x-team"] == "a"\''],
        }),
      action: z.enum(actions).meta({
        description:
          '`allow`, `deny`, or `audit`: log what a deny would have answered, and ask the policies that follow',
        examples: ['allow'],
      }),
      deny: z
        .strictObject({
          status: z.literal([401, 403, 404, 429]).prefault(403).describe('Of the answer'),
          reason: read(readReason)
            .optional()
            .meta({
              description: 'Of the answer, told to the client; absent is "Denied by policy NAME."',
              examples: ['Only the admins delete indices.'],
            }),
        })
        .optional()
        .describe('Of deny and audit: how a deny answers'),
      bodyIndices: z
        .enum(['refuse', 'trust'])
        .optional()
        .describe(
          'Beside match.indices, or covers() or touches() in when, endpoints whose body can name indices too: `refuse` them, which is what an absent one does, or `trust` that the server refuses such names in bulk, mget and msearch (rest.action.multi.allow_explicit_index: false); others only where match.endpoints names them',
        ),
      route: z
        .strictObject({
          cluster: z
            .string()
            .check((context) => {
              const { value: name } = context;
              if (known.clusters === undefined || known.clusters.includes(name)) return;
              const fix = `write one of ${known.clusters.join(', ')}, or add it to sluice.yaml`;
              refuse(context, { wrong: `there is no cluster ${quoted(name)}`, fix });
            })
            .meta({
              description: 'One of `clusters` in sluice.yaml; absent is `default`',
              examples: ['hot'],
            }),
        })
        .optional()
        .describe('Of allow: where the request goes'),
      limits: limits.optional().describe('Of allow: what all that the policy lets in may use together'),
      headers: headersSchema.optional().describe('Of allow: what the server gets'),
    })
    .check(
      always((context) => {
        const given = Object.keys(context.value);
        const { action } = context.value;
        const known = actions.includes(action);
        const misplaced = action === 'allow' ? ['deny'] : ['route', 'limits', 'headers'];
        for (const key of known ? misplaced.filter((one) => given.includes(one)) : []) {
          const wrong = `means nothing where the action is ${action}`;
          refuse(context, { wrong, fix: 'remove it, or change the action', path: [key] });
        }
        const asked: unknown = context.value.match;
        if (action === 'allow' && typeof asked === 'object' && asked !== null && 'effects' in asked) {
          refuse(context, {
            wrong: 'says what a request may do besides, so that nothing can be allowed by it',
            fix: 'allow by endpoints or groups, or change the action',
            path: ['match', 'effects'],
          });
        }
        // A match that is wrong by itself is none that could be asked.
        const match: unknown = context.value.match;
        const matches = typeof match === 'object' && match !== null && !('indices' in match);
        const asks = /\b(covers|touches)\s*\(/.test(String(context.value.when ?? ''));
        if (given.includes('bodyIndices') && matches && !asks) {
          const fix = 'remove it, or add match.indices';
          const wrong = 'means nothing without match.indices, or covers() or touches() in when';
          refuse(context, { wrong, fix, path: ['bodyIndices'] });
        }
      }),
    );
}

export function policySchema(known: PolicyContext) {
  return z.strictObject({
    apiVersion: z.literal(apiVersion).describe('Of every document'),
    kind: z.literal('Policy').describe('Of this one'),
    metadata,
    spec: specSchema(known).meta({ examples: ['spec: {action: deny}'] }),
    status,
  });
}

/** A document, checked and with the defaults of its parts. */
export type PolicySettings = z.output<ReturnType<typeof policySchema>>;
