/** `spec.headers`: what a policy changes in the fields that the server gets. */
import { z } from 'zod';
import { read, refuse } from '../../config/quantities.ts';
import type { Reading } from '../../config/units.ts';
import { hopByHop } from '../../http1/field-names.ts';
import type { HeaderValue } from '../document.ts';
import { carriesCredentials, mayCarrySecret, namesUser } from '../server-fields.ts';
import { maxItems } from './bounds.ts';
import {
  headerNamePattern,
  readFieldText,
  readHeaderName,
  readSecretFile,
  readSecretVariable,
  variablePattern,
} from './texts.ts';

/** Framing, routing and tracing of each hop. */
const own: ReadonlySet<string> = new Set([
  ...hopByHop,
  'host',
  'content-length',
  'expect',
  'trailer',
  'via',
  'x-request-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

function readChangeable(text: string): Reading<string> {
  const name = readHeaderName(text);
  if (name.kind === 'wrong' || !own.has(name.value)) return name;
  return { kind: 'wrong', wrong: `${name.value} is written by Sluice itself`, fix: 'remove it' };
}

const name = {
  description: 'In any case; not of framing, connections, routing or tracing',
  pattern: headerNamePattern,
};

const headerSet = z
  .strictObject({
    // The name is sent as it is written.
    name: z
      .string()
      .check((context) => {
        const reading = readChangeable(context.value);
        if (reading.kind === 'wrong') refuse(context, reading);
      })
      .meta({ ...name, examples: ['X-Team'] }),
    value: read(readFieldText)
      .optional()
      .meta({ description: 'Printable ASCII; no credentials', writeOnly: true, examples: ['team-a'] }),
    fromFile: read(readSecretFile)
      .optional()
      .meta({
        description: 'A file inside policies.secrets.directory; for credentials alone',
        examples: ['hot/credentials'],
      }),
    fromEnv: read(readSecretVariable)
      .optional()
      .meta({
        description: "A variable of the proxy's environment; for credentials alone",
        pattern: variablePattern,
        examples: ['SLUICE_SECRET_HOT'],
      }),
  })
  .meta({ examples: ['{name: X-Team, value: team-a}'] })
  .check((context) => {
    if (context.issues.length > 0) return;
    const { name, ...sources } = context.value;
    const [source, ...others] = Object.keys(sources);
    if (source === undefined || others.length > 0) {
      const given = [source, ...others].join(' and ');
      const wrong = source === undefined ? 'has no value' : `has ${given}`;
      refuse(context, { wrong, fix: 'write one of value, fromFile, fromEnv' });
      return;
    }
    const misplaced = source === 'value' ? openly(name) : secretly(name);
    if (misplaced !== undefined) refuse(context, { ...misplaced, path: [source] });
  })
  .transform(({ name, value, fromFile, fromEnv }) => ({
    name,
    value: headerValue(value, fromFile, fromEnv),
  }));

interface Misplaced {
  readonly wrong: string;
  readonly fix: string;
}

/** Why a field may not be given a text, which a document shows to whoever may read it. */
function openly(name: string): Misplaced | undefined {
  if (!carriesCredentials(name.toLowerCase())) return undefined;
  return {
    wrong: 'shows a credential to all who read the policy',
    fix: 'write fromFile or fromEnv instead',
  };
}

/** Why a field may not be given a secret, which it could carry back to clients. */
function secretly(name: string): Misplaced | undefined {
  const key = name.toLowerCase();
  if (mayCarrySecret(key)) return undefined;
  if (namesUser(key))
    return { wrong: `hides whom ${key} names, which is no secret`, fix: 'write value instead' };
  return {
    wrong: `puts a secret into ${key}, which servers may show to clients`,
    fix: 'write value instead, or send it as authorization, cookie or a name that ends in -token, -key, -secret or -authorization',
  };
}

function headerValue(
  text: string | undefined,
  file: string | undefined,
  variable: string | undefined,
): HeaderValue {
  if (text !== undefined) return { kind: 'text', text };
  return file === undefined ? { kind: 'env', variable: variable ?? '' } : { kind: 'file', file };
}

export const headersSchema = z
  .strictObject({
    set: z
      .array(headerSet)
      .min(1)
      .max(maxItems)
      .optional()
      .describe("Fields to send, in place of the client's of the same name"),
    remove: z
      .array(read(readChangeable).meta({ ...name, examples: ['x-debug'] }))
      .min(1)
      .max(maxItems)
      .optional()
      .describe('Names of fields that are not passed on'),
  })
  .check((context) => {
    const names = (context.value.set ?? []).map(({ name }) => name.toLowerCase());
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      refuse(context, {
        wrong: `${name} is set already`,
        fix: 'remove one of the two',
        path: ['set', index, 'name'],
      });
    }
  });
