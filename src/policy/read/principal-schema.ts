/** `spec.match.principals`: who asks, as a policy names them. */
import { z } from 'zod';
import { type Refusal, read, refuse } from '../../config/quantities.ts';
import type { Reading } from '../../config/units.ts';
import type { Verifies } from '../surroundings.ts';
import { maxItems } from './bounds.ts';
import type { PolicyContext } from './context.ts';
import { quoted, readText } from './texts.ts';

export function texts(...examples: readonly string[]) {
  return z
    .array(read(readText).meta({ examples: [...examples] }))
    .min(1)
    .max(maxItems);
}

const token = z
  .strictObject({
    issuer: read((text) => whole(text))
      .optional()
      .meta({ description: 'Who issued it, exactly', examples: ['https://login.example'] }),
    subjects: texts('svc-*').optional().describe('Of the tokens, `*` for any run of characters'),
    claims: z
      .record(z.string(), texts('team-a'))
      .optional()
      .check((context) => {
        if (context.value === undefined || Object.keys(context.value).length > 0) return;
        refuse(context, { wrong: 'is empty', fix: 'write e.g. {groups: [admins]}' });
      })
      .meta({
        description:
          'By claim, values with `*` for any run of characters: one must be the claim, or in it where it is a list',
        examples: ['{groups: [admins]}'],
      }),
  })
  .check((context) => {
    if (Object.keys(context.value).length > 0 || context.issues.length > 0) return;
    refuse(context, { wrong: 'names no token', fix: "write subjects: ['*'] for any" });
  });

function whole(text: string): Reading<string> {
  if (!text.includes('*')) return readText(text);
  return { kind: 'wrong', wrong: `${quoted(text)} holds a *`, fix: 'write the issuer whole' };
}

/** One item of `match.principals`. */
export function principalSchema({ verifies }: PolicyContext) {
  return z
    .strictObject({
      users: texts('alice')
        .optional()
        .describe('Basic users whose password Sluice has verified, `*` for any run of characters'),
      claimedUsers: texts('bob').optional().describe('Basic users whose password only the server will check'),
      apiKeys: texts('VuaCfGcBCdbkQm-e5aOx').optional().describe('Ids of API keys that Sluice has verified'),
      claimedApiKeys: texts('VuaCfGcBCdbkQm-e5aOx')
        .optional()
        .describe('Ids of API keys that only the server will check'),
      token: token.optional().meta({
        description: 'Bearer tokens that Sluice has verified; all that is given must fit',
        examples: ['{subjects: [svc-*]}'],
      }),
    })
    .meta({ examples: ['users: [alice]'] })
    .check((context) => {
      const given = Object.keys(context.value);
      if (given.length === 1 || context.issues.length > 0) return;
      const kinds = 'users, claimedUsers, apiKeys, claimedApiKeys or token';
      const wrong = given.length === 0 ? 'names nobody' : `is ${given.length} at once: ${given.join(', ')}`;
      refuse(context, { wrong, fix: `write one of ${kinds} in each item` });
    })
    .check((context) => {
      const unverified = verifies && unverifiable(context.value, verifies);
      if (unverified !== undefined) refuse(context, unverified);
    });
}

interface Asked {
  readonly users?: unknown;
  readonly apiKeys?: unknown;
  readonly token?: { readonly issuer?: string | undefined } | undefined;
}

/** What nobody verifies is never true: an allow by it lets nobody in, and a deny by it keeps nobody out. */
function unverifiable({ users, apiKeys, token }: Asked, verifies: Verifies): Refusal | undefined {
  if (users !== undefined && !verifies.users) {
    const fix = 'add identity.users to sluice.yaml, or write claimedUsers';
    return { wrong: 'the proxy verifies no users', fix, path: ['users'] };
  }
  if (apiKeys !== undefined && !verifies.apiKeys) {
    const fix = 'add identity.apiKeys to sluice.yaml, or write claimedApiKeys';
    return { wrong: 'the proxy verifies no API keys', fix, path: ['apiKeys'] };
  }
  if (token === undefined) return undefined;
  const { issuers } = verifies;
  if (issuers.length === 0) {
    const fix = 'add identity.tokens to sluice.yaml';
    return { wrong: 'the proxy verifies no tokens', fix, path: ['token'] };
  }
  const { issuer } = token;
  if (issuer === undefined || issuers.includes(issuer)) return undefined;
  const fix = `write one of ${issuers.join(', ')}, or add it to identity.tokens in sluice.yaml`;
  return { wrong: `the proxy trusts no issuer ${quoted(issuer)}`, fix, path: ['token', 'issuer'] };
}
