/** What the process holds in buffers outside the JavaScript heap, garbage not counted. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sleep } from './deadline.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

export async function heldByBuffers(): Promise<number> {
  // Memory of buffers found dead in one collection is given back between that one and the next.
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await sleep(20);
  }
  return process.memoryUsage().arrayBuffers;
}
