/** Finds the Java that a server needs among those of this machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Choice, choices, type ServerName, servers } from './catalogue.ts';

const installed = '/usr/lib/jvm';

function candidates(): string[] {
  const homes = existsSync(installed) ? readdirSync(installed).map((name) => path.join(installed, name)) : [];
  if (process.env.JAVA_HOME) homes.unshift(process.env.JAVA_HOME);
  return ['java', ...homes.map((home) => path.join(home, 'bin', 'java')).filter((java) => existsSync(java))];
}

function majorVersion(java: string): number {
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8', timeout: 20_000 });
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0);
}

let known: readonly { readonly java: string; readonly version: number }[] | undefined;

/** The oldest Java here that is at least `version`, being the nearest to what the server was made for. */
export function findJava(version: number): string | undefined {
  known ??= candidates()
    .map((java) => ({ java, version: majorVersion(java) }))
    .sort((a, b) => a.version - b.version);
  return known.find((one) => one.version >= version)?.java;
}

/** The server to start for `choice`, or undefined where this machine's Java is too old for each. */
export function chooseServer(
  choice: Choice,
): { readonly name: ServerName; readonly java: string } | undefined {
  for (const name of choices[choice]) {
    const java = findJava(servers[name].jdk);
    if (java) return { name, java };
  }
  return undefined;
}
