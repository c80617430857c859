/** The one schema of a `PolicyTest` document. */
import { z } from 'zod';
import { read, refuse, size } from '../../config/quantities.ts';
import type { Principal } from '../principal.ts';
import { apiVersion, metadata, status } from './schema.ts';
import {
  readAddress,
  readFieldText,
  readHeaderName,
  readMethod,
  readMoment,
  readName,
  readTarget,
  readText,
} from './texts.ts';

const name = (example: string) => read(readText).meta({ examples: [example] });

const principal = z
  .strictObject({
    user: name('alice').optional().describe('A Basic user whose password Sluice has verified'),
    claimedUser: name('bob').optional().describe('A Basic user whose password only the server will check'),
    apiKey: name('VuaCfGcBCdbkQm-e5aOx').optional().describe('The id of an API key that Sluice has verified'),
    claimedApiKey: name('VuaCfGcBCdbkQm-e5aOx')
      .optional()
      .describe('The id of an API key that only the server will check'),
    token: z
      .strictObject({
        issuer: name('https://login.example').describe('Who issued it'),
        subject: name('svc-loader').describe('Whom it is about'),
        claims: z
          .record(z.string(), z.unknown())
          .optional()
          .meta({ description: 'What else it says', examples: ['{groups: [admins]}'] }),
      })
      .optional()
      .describe('A bearer token that Sluice has verified'),
  })
  .meta({ examples: ['user: alice'] })
  .check((context) => {
    const given = Object.keys(context.value);
    if (given.length === 1 || context.issues.length > 0) return;
    const kinds = 'user, claimedUser, apiKey, claimedApiKey or token';
    const wrong = given.length === 0 ? 'names nobody' : `is ${given.length} at once: ${given.join(', ')}`;
    refuse(context, { wrong, fix: `write one of ${kinds} in each item` });
  })
  .transform(({ user, claimedUser, apiKey, claimedApiKey, token }): Principal => {
    if (token !== undefined) {
      const { issuer, subject, claims = {} } = token;
      return { kind: 'token', name: subject, verified: true, issuer, claims };
    }
    const kind = (user ?? claimedUser) === undefined ? 'api-key' : 'user';
    const verified = (user ?? apiKey) !== undefined;
    const known = user ?? claimedUser ?? apiKey ?? claimedApiKey ?? '';
    return { kind, name: known, verified, issuer: undefined, claims: undefined };
  });

const request = z.strictObject({
  method: read(readMethod).meta({ description: 'In capitals', examples: ['POST'] }),
  path: read(readTarget).meta({
    description: 'As a client sends it: encoded, and with its query if there is one',
    examples: ['/logs-a/_bulk'],
  }),
  headers: z
    .record(z.string(), read(readFieldText))
    .prefault({})
    .check((context) => {
      for (const key of Object.keys(context.value)) {
        const reading = readHeaderName(key);
        if (reading.kind === 'wrong') refuse(context, { ...reading, path: [key] });
        else if (['content-length', 'transfer-encoding', 'host'].includes(reading.value)) {
          const fix = reading.value === 'host' ? 'remove it' : 'write length beside headers instead';
          refuse(context, { wrong: `${reading.value} is made for each test`, fix, path: [key] });
        }
      }
    })
    .meta({ description: 'By name', examples: ['{x-team: a}'] }),
  source: read(readAddress)
    .prefault('127.0.0.1')
    .meta({ description: "The client's address", examples: ['10.1.2.3'] }),
  length: z
    .union([z.literal('chunked'), size({ min: 0, max: Number.MAX_SAFE_INTEGER })])
    .optional()
    .describe('Of the body: bytes, or chunked, which declares none; absent is no body'),
  principals: z.array(principal).prefault([]).describe('Who is asking; each item is of one kind'),
  time: read(readMoment)
    .optional()
    .meta({ description: 'Date, time and zone; absent is now', examples: ['2026-11-23T10:00:00Z'] }),
});

const expectation = z
  .strictObject({
    verdict: z.enum(['allow', 'deny']).meta({ description: 'What is decided', examples: ['allow'] }),
    policy: name('team-a-writes').optional().describe('Which decides; `default` where none is to match'),
    status: z
      .int()
      .min(400)
      .max(599)
      .optional()
      .meta({ description: 'Of a deny', examples: [403] }),
    cluster: name('hot').optional().describe('Of an allow: where the request goes'),
    audited: z
      .array(read(readName).meta({ examples: ['no-deletes'] }))
      .optional()
      .describe('Every policy that logs what it would have denied'),
  })
  .check((context) => {
    const { verdict } = context.value;
    const key = verdict === 'allow' ? 'status' : 'cluster';
    if (context.value[key] === undefined) return;
    refuse(context, {
      wrong: `means nothing where the verdict is ${verdict}`,
      fix: 'remove it',
      path: [key],
    });
  });

export const policyTestSchema = z.strictObject({
  apiVersion: z.literal(apiVersion).describe('Of every document'),
  kind: z.literal('PolicyTest').describe('Of this one'),
  metadata,
  spec: z
    .strictObject({
      tests: z
        .array(
          z.strictObject({
            name: name('team A may bulk into its logs')
              .optional()
              .describe('For the report; absent is the method and the path'),
            request: request.meta({
              description: 'As it would come',
              examples: ['{method: POST, path: /logs-a/_bulk}'],
            }),
            expect: expectation.meta({
              description: 'What is to become of it',
              examples: ['{verdict: allow}'],
            }),
          }),
        )
        .min(1)
        .meta({ description: 'Each by itself', examples: ['a list of request and expect'] }),
    })
    .meta({ examples: ['tests: [...]'] }),
  status,
});

export type PolicyTestSettings = z.output<typeof policyTestSchema>;
