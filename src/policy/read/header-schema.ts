/** `spec.headers`: what a policy changes in the fields that the server gets. */
import { z } from 'zod';
import { read, refuse } from '../../config/quantities.ts';
import type { Reading } from '../../config/units.ts';
import { hopByHop } from '../../http1/field-names.ts';
import type { HeaderValue } from '../document.ts';
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

/** Whose values are credentials, which a document would show to whoever may read it. */
const secret: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'es-secondary-authorization',
  'es-client-authentication',
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
      .meta({ description: 'A file inside policies.secrets.directory', examples: ['hot/credentials'] }),
    fromEnv: read(readSecretVariable)
      .optional()
      .meta({
        description: "A variable of the proxy's environment",
        pattern: variablePattern,
        examples: ['SLUICE_SECRET_HOT'],
      }),
  })
  .meta({ examples: ['{name: X-Team, value: team-a}'] })
  .check((context) => {
    if (context.issues.length > 0) return;
    const { name, ...sources } = context.value;
    const given = Object.keys(sources);
    if (given.length !== 1) {
      const wrong = given.length === 0 ? 'has no value' : `has ${given.join(' and ')}`;
      refuse(context, { wrong, fix: 'write one of value, fromFile, fromEnv' });
    } else if (sources.value !== undefined && secret.has(name.toLowerCase())) {
      const fix = 'write fromFile or fromEnv instead';
      refuse(context, { wrong: 'shows a credential to all who read the policy', fix, path: ['value'] });
    }
  })
  .transform(({ name, value, fromFile, fromEnv }) => ({
    name,
    value: headerValue(value, fromFile, fromEnv),
  }));

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
      .optional()
      .describe("Fields to send, in place of the client's of the same name"),
    remove: z
      .array(read(readChangeable).meta({ ...name, examples: ['x-debug'] }))
      .min(1)
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
