/** The files and directories that a configuration names, as the proxy will want them. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config, IdentityConfig, SourceConfig } from '../../config/config.ts';
import type { Path } from '../../config/path.ts';
import { createIdentity } from '../../policy/identity/identify.ts';
import { faultOfIssuers } from '../../policy/identity/options.ts';
import type { Finding } from './finding.ts';

/** Files of hashes and keys are taken in; of the others it is asked whether they can be read, or written. */
export async function fileFaults(config: Config): Promise<readonly Finding[]> {
  return [...(await unreadIdentity(config.identity)), ...missingFiles(config), ...unwritableLog(config)];
}

/** Read as the proxy reads them at its start, one by one, so that one mistake does not hide another. */
async function unreadIdentity({ users, apiKeys, tokens }: IdentityConfig): Promise<readonly Finding[]> {
  const none: IdentityConfig = { users: undefined, apiKeys: undefined, tokens: [] };
  const parts: readonly (readonly [Path, IdentityConfig])[] = [
    [['identity', 'users', 'file'], { ...none, users }],
    [['identity', 'apiKeys', 'file'], { ...none, apiKeys }],
    ...tokens.flatMap((issuer, index) =>
      issuer.jwks.kind === 'file'
        ? [[['identity', 'tokens', index, 'jwksFile'], { ...none, tokens: [issuer] }] as const]
        : [],
    ),
  ];
  const found = await Promise.all(parts.map(([path, part]) => unread(path, part)));
  const fault = faultOfIssuers(tokens);
  const issuers = fault === undefined ? [] : [{ path: ['identity', 'tokens'], ...worded(fault) }];
  return [...found.flat(), ...issuers];
}

async function unread(path: Path, part: IdentityConfig): Promise<readonly Finding[]> {
  try {
    (await createIdentity(part, () => {})).close();
    return [];
  } catch (error) {
    return [{ path, ...worded(error instanceof Error ? error.message : String(error)) }];
  }
}

/** What a start would end with: mostly what is wrong, a semicolon, and how to mend it. */
function worded(message: string): { wrong: string; fix: string } {
  const at = message.indexOf('; ');
  if (at < 0) return { wrong: message, fix: 'give the right file, readable for this user' };
  return { wrong: message.slice(0, at), fix: message.slice(at + 2) };
}

function missingFiles({ policies }: Config): readonly Finding[] {
  if (policies === undefined) return [];
  const { directory } = policies.secrets;
  const secrets: Finding[] =
    directory === undefined || statSync(directory, { throwIfNoEntry: false })?.isDirectory()
      ? []
      : [
          {
            path: ['policies', 'secrets', 'directory'],
            wrong: `${directory} is no directory`,
            fix: 'make it, or check the path',
          },
        ];
  return [...policies.sources.flatMap(filesOf).flatMap(unreadable), ...secrets];
}

type NamedFile = readonly [Path, string | undefined];

function filesOf(source: SourceConfig, index: number): readonly NamedFile[] {
  const at: Path = ['policies', 'sources', index];
  switch (source.kind) {
    case 'url':
      return [
        [[...at, 'tokenFile'], source.tokenFile],
        [[...at, 'caFile'], source.caFile],
      ];
    case 'kubernetes':
      return [[[...at, 'kubernetes', 'kubeconfig'], source.kubeconfig]];
    default:
      return [];
  }
}

function unreadable([path, file]: NamedFile): readonly Finding[] {
  if (file === undefined) return [];
  try {
    readFileSync(file);
    return [];
  } catch (error) {
    return [
      { path, wrong: `${file} can't be read (${codeOf(error)})`, fix: 'check the path and its rights' },
    ];
  }
}

function unwritableLog({ accessLog: { enabled, destination } }: Config): readonly Finding[] {
  if (!enabled || destination === 'stdout' || destination === 'stderr') return [];
  const path = ['accessLog', 'destination'];
  const stat = statSync(destination, { throwIfNoEntry: false });
  if (stat?.isDirectory())
    return [{ path, wrong: `${destination} is a directory`, fix: 'name a file in it' }];
  try {
    accessSync(stat === undefined ? dirname(destination) : destination, constants.W_OK);
    return [];
  } catch (error) {
    const fix = `make ${dirname(destination)} and let this user write there`;
    return [{ path, wrong: `${destination} can't be written (${codeOf(error)})`, fix }];
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
