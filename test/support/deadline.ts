/** No test waits for ever: each wait says what for, and how long it may take. */
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/**
 * Milliseconds that a wait or a whole test may take where nothing else is said: for machines that are many times
 * slower or busier than one would think. It ends what hangs, and asserts nothing.
 */
export const patience = 240_000;

export async function within<T>(what: string, promise: Promise<T>, milliseconds = patience): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks every few milliseconds until `condition` holds. */
export async function until(what: string, condition: () => boolean, milliseconds = patience): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${milliseconds} ms`);
    await sleep(5);
  }
}
