/** Installing peers: each into a directory of its own in the cache, once. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs a program to its end and returns what it printed. Throws with the end of its output where it fails. */
export function output(program: string, ...args: readonly string[]): string {
  const result = spawnSync(program, args, { encoding: 'utf8', timeout: 300_000 });
  const text = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(text.split('\n').slice(-3).join(' ') || `${program} failed`);
  return text;
}

/** Calls `install` unless it has once succeeded for this `stamp`; what a failed try leaves is removed. */
export function once(dir: string, stamp: string, install: () => void): void {
  const mark = join(dir, `.installed-${stamp}`);
  if (existsSync(mark)) return;
  try {
    install();
    writeFileSync(mark, '');
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Unpacks packages of a Debian release beside the system's own. */
export function installDebs(dir: string, suite: string, packages: readonly string[]): void {
  once(dir, suite, () => output('bash', join(import.meta.dirname, 'debs.sh'), suite, dir, ...packages));
}
