/** A leaked descriptor or pipe is found by counting: /proc/self/fd lists what the process holds. */
import { readdirSync, readlinkSync } from 'node:fs';
import { until } from './deadline.ts';

/** Sockets and pipes held now; undefined where the system does not tell. */
export function descriptors(): { sockets: number; pipes: number } | undefined {
  let names: string[];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    return undefined;
  }
  const targets = names.map(targetOf);
  const count = (prefix: string) => targets.filter((target) => target.startsWith(prefix)).length;
  return { sockets: count('socket:'), pipes: count('pipe:') };
}

/** Waits until no more sockets and pipes are held than `before`; closing takes the loop a turn or two. */
export async function descriptorsBackTo(before: ReturnType<typeof descriptors>): Promise<void> {
  if (!before) return;
  const held = () => {
    const now = descriptors();
    return !now || (now.sockets <= before.sockets && now.pipes <= before.pipes);
  };
  await until(`descriptors back to ${JSON.stringify(before)}`, held).catch((error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(descriptors())}`);
  });
}

function targetOf(name: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${name}`);
  } catch {
    return 'gone';
  }
}
