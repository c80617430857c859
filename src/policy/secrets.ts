/** Values of header fields that policies send to servers: texts, or secrets from a directory or the environment. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { HeaderValue, PolicyDocument } from './document.ts';

export interface SecretsOptions {
  /** The only directory whose files policies may name; undefined where they may name none. */
  readonly directory: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type SecretReading =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'wrong'; readonly wrong: string; readonly fix: string };

/** Policies may read no other variable: whoever may write them need not be who runs the proxy. */
export const secretVariablePrefix = 'SLUICE_SECRET_';

const maxSecretBytes = 8192;
/** What a field value may hold (RFC 9110, section 5.5), and no obs-text, which servers read differently. */
const fieldValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Reads it now. What is wrong never tells the value. */
export function readHeaderValue(value: HeaderValue, secrets: SecretsOptions): SecretReading {
  switch (value.kind) {
    case 'text':
      return checked(value.text, 'the value');
    case 'env': {
      const { variable } = value;
      if (!variable.startsWith(secretVariablePrefix)) {
        return wrong(`policies may not read ${variable}`, `name it ${secretVariablePrefix}...`);
      }
      const text = secrets.environment[variable];
      if (text === undefined) return wrong(`${variable} is not in the environment`, 'set it for the proxy');
      return checked(text, variable);
    }
    case 'file':
      return readSecretFile(value.file, secrets.directory);
  }
}

function readSecretFile(file: string, directory: string | undefined): SecretReading {
  if (directory === undefined) {
    return wrong('there is no directory of secrets', 'set policies.secrets.directory in sluice.yaml');
  }
  try {
    const inside = realpathSync(directory);
    const path = realpathSync(join(inside, file));
    // Mounted secrets are links, to files inside their directory.
    if (!path.startsWith(inside + sep)) return wrong(`${file} leads out of ${directory}`, 'put it inside');
    if (statSync(path).size > maxSecretBytes)
      return wrong(`${file} is over ${maxSecretBytes} bytes`, 'shorten it');
    return checked(readFileSync(path, 'utf8').replace(/\r?\n$/, ''), file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return wrong(`${file} can't be read in ${directory} (${code})`, 'check the name and its permissions');
  }
}

function checked(value: string, what: string): SecretReading {
  if (value.length <= maxSecretBytes && fieldValue.test(value)) return { kind: 'value', value };
  return wrong(`${what} can't be a header's value`, 'give one line of printable ASCII');
}

function wrong(what: string, fix: string): SecretReading {
  return { kind: 'wrong', wrong: what, fix };
}

/** What changes when a file that these documents send from is replaced. */
export function secretsFingerprint(
  documents: readonly PolicyDocument[],
  { directory }: SecretsOptions,
): string {
  if (directory === undefined) return '';
  const files = new Set(
    documents.flatMap(({ headers }) =>
      headers.set.flatMap(({ value }) => (value.kind === 'file' ? [value.file] : [])),
    ),
  );
  return [...files].map((file) => `${file}=${stateOf(join(directory, file))}`).join('\n');
}

function stateOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'missing' : `${stat.ino}.${stat.size}.${stat.mtimeNs}`;
}
