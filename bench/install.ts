/**
 * install.ts CACHE [flags of run.ts]: brings the chosen peers into the cache, and writes `installed.json` there: the
 * version of each, or why it is missing. Run before the run, which may have no network.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions } from './options.ts';

export type Installed = Record<string, { readonly version: string } | { readonly missing: string }>;

if (import.meta.main) {
  const [cache, ...flags] = process.argv.slice(2);
  if (!cache) throw new Error('usage: install.ts CACHE [flags]');
  mkdirSync(cache, { recursive: true });
  const installed: Installed = {};
  for (const peer of readOptions(flags).peers) {
    try {
      peer.install(cache);
      installed[peer.name] = { version: peer.version(cache) };
    } catch (error) {
      installed[peer.name] = { missing: (error as Error).message };
      console.error(`bench: ${peer.title} is left out: ${(error as Error).message}`);
    }
  }
  writeFileSync(join(cache, 'installed.json'), JSON.stringify(installed, null, 2));
}
