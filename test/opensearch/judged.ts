/** Sluice under a set of policies of its own, before the server of a stage. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cached } from './cache.ts';
import { type Sluice, startConfigured } from './sluice.ts';

/** `policies` are its documents as YAML. Its files are removed when it stops. */
export async function startJudged(upstream: string, policies: string): Promise<Sluice> {
  const folder = cached('run', `judged-${process.pid}-${++started}`);
  const inFolder = (name: string): string => path.join(folder, name);
  mkdirSync(inFolder('policies'), { recursive: true });
  writeFileSync(path.join(inFolder('policies'), 'policies.yaml'), policies);
  const config = { policies: { sources: [{ path: inFolder('policies') }] } };
  writeFileSync(inFolder('sluice.yaml'), JSON.stringify(config));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const sluice = await startConfigured(['-c', inFolder('sluice.yaml'), '--upstream', upstream]);
    return { ...sluice, stop: (signal) => sluice.stop(signal).finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

let started = 0;
