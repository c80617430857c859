import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manyPolicies } from '../policies/many.ts';
import type { Command, Peer, Place } from './peer.ts';

const root = join(import.meta.dirname, '../..');

/** Every request is judged: a table of 898 endpoints, `policies` of them, and what none matches is let in. */
function sluicePeer(name: string, title: string, policies: number | undefined): Peer {
  const loaded = policies === undefined ? 'no policies configured' : `${policies} policies loaded`;
  return {
    ...shipped,
    name,
    title,
    setup: `${loaded}, writing its access log to a file`,
    command: run(policies),
  };
}

const run =
  (policies: number | undefined) =>
  ({ port, upstream, admin }: Place): Command => {
    const nodes = `{nodes: ['http://127.0.0.1:${upstream}']}`;
    const settings = [
      `listen: {address: '127.0.0.1:${port}'}`,
      `admin: {address: '127.0.0.1:${admin}'}`,
      `upstream: ${nodes}`,
      `clusters: {hot: ${nodes}}`,
    ];
    if (policies === undefined) return { argv, files: { 'sluice.yaml': settings.join('\n') } };
    settings.push('policies: {sources: [{path: policies.yaml}], default: allow}');
    return {
      argv,
      files: { 'sluice.yaml': settings.join('\n'), 'policies.yaml': manyPolicies(policies).join('---\n') },
    };
  };

const argv = [join(root, 'sluice'), 'run', '--config', 'sluice.yaml'];

const shipped: Omit<Peer, 'name' | 'title' | 'setup' | 'command'> = {
  install() {
    if (!existsSync(join(root, 'engine/build/Release/sluice_engine.node')))
      throw new Error('the engine is not built (make engine)');
  },
  version: () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
  async counters(admin) {
    const response = await fetch(`http://127.0.0.1:${admin}/metrics`, {
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    const sum = (pattern: RegExp): number =>
      [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
    return {
      spliced: sum(/^sluice_moved_bytes_total\{.*path="spliced".*\} (\S+)$/gm),
      copied: sum(/^sluice_moved_bytes_total\{.*path="copied".*\} (\S+)$/gm),
      systemCalls: sum(/^sluice_engine_system_calls_total\{.*\} (\S+)$/gm),
    };
  },
};

export const sluice = sluicePeer('sluice', 'Sluice', 100);
/** What judging costs, beside the same without. */
const only = ['post-1k', 'get-1k'];
export const sluiceUnjudged: Peer = {
  ...sluicePeer('sluice-unjudged', 'Sluice, no policies', undefined),
  only,
};
export const sluice1000: Peer = { ...sluicePeer('sluice-1000', 'Sluice, 1,000 policies', 1000), only };
