/** The part of `sluice.yaml` that is about policies: where they come from, and who verifies whom. */
import { z } from 'zod';
import { readTrustedUrl } from './address.ts';
import { defaults } from './defaults.ts';
import { day, duration, read } from './quantities.ts';

/** Asymmetric ones alone: whoever verifies must not be able to sign. */
const tokenAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const interval = duration({ min: 1000, max: day }).prefault(defaults.policies.interval);

const source = z.union([
  z.strictObject({
    path: z
      .string()
      .min(1)
      .meta({
        description: 'A file, or a directory of *.yaml, *.yml and *.json; relative to this file',
        examples: ['/etc/sluice/policies'],
      }),
  }),
  z.strictObject({
    url: read(readTrustedUrl).meta({
      description: 'Asked for with its ETag; https, or http on loopback',
      examples: ['https://config.internal/policies.yaml'],
    }),
    interval: interval.describe('How often it is asked'),
    tokenFile: z.string().min(1).optional().describe('Sent as a bearer token; read anew each time'),
    caFile: z
      .string()
      .min(1)
      .optional()
      .describe("PEM file of the authorities to trust instead of the system's"),
  }),
  z.strictObject({
    s3: z
      .strictObject({
        bucket: z
          .string()
          .min(1)
          .describe('The bucket; credentials come from the environment, as the AWS SDK finds them'),
        prefix: z.string().prefault('').describe('Keys that begin so are policies'),
        region: z.string().min(1).optional().describe("Absent is the environment's"),
        endpoint: z
          .url({ protocol: /^https?$/ })
          .optional()
          .describe('Of an S3 that is not AWS'),
        pathStyle: z.boolean().prefault(false).describe('The bucket in the path, not in the host'),
      })
      .meta({ examples: [{ bucket: 'search-policies', prefix: 'prod/' }] }),
    interval: interval.describe('How often the bucket is listed'),
  }),
  z.strictObject({
    kubernetes: z
      .strictObject({
        namespace: z.string().min(1).optional().describe("Absent is the pod's own"),
        labelSelector: z.string().min(1).optional().describe('Only policies with these labels'),
        kubeconfig: z.string().min(1).optional().describe('Absent is the service account of the pod'),
        context: z.string().min(1).optional().describe('Of the kubeconfig'),
      })
      .meta({ examples: [{ namespace: 'search' }] }),
  }),
]);

export const policies = z.strictObject({
  sources: z
    .array(source)
    .min(1)
    .meta({
      description: 'Where policies come from; all of them make one set',
      examples: [[{ path: 'policies' }]],
    }),
  default: z
    .enum(['deny', 'allow'])
    .prefault('deny')
    .describe('What becomes of a request that no policy matches'),
  onStart: z
    .enum(['wait', 'deny', 'allow'])
    .prefault('wait')
    .describe('Until a first set is there: wait with listening, or serve and deny or allow everything'),
  secrets: z
    .strictObject({
      directory: z
        .string()
        .min(1)
        .optional()
        .meta({
          description: 'The only directory whose files policies may send as header values (fromFile)',
          examples: ['/etc/sluice/secrets'],
        }),
    })
    .prefault({}),
});

const hashFile = z.strictObject({
  file: z
    .string()
    .min(1)
    .meta({ description: 'name:hash lines, as `sluice hash` prints them', examples: ['/etc/sluice/users'] }),
});

const tokenIssuer = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .meta({ description: 'The iss claim, exactly', examples: ['https://login.internal/'] }),
  audiences: z
    .array(z.string().min(1))
    .min(1)
    .meta({ description: 'One of them must be in aud', examples: [['search']] }),
  jwksUrl: read(readTrustedUrl).optional().describe("The issuer's keys; https, or http on loopback"),
  jwksFile: z.string().min(1).optional().describe('The same from a file'),
  algorithms: z
    .array(z.enum(tokenAlgorithms))
    .min(1)
    .prefault([...tokenAlgorithms])
    .describe('Accepted signatures'),
  clockTolerance: duration({ min: 0, max: 300_000 })
    .prefault('30s')
    .describe('Allowed for between two clocks'),
  subjectClaim: z.string().min(1).prefault('sub').describe('The claim that names the principal'),
});

export const identity = z.strictObject({
  tokens: z.array(tokenIssuer).prefault([]).describe('Who issues the JWTs that are verified here'),
  users: hashFile.optional(),
  apiKeys: hashFile.optional(),
});
