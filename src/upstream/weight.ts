/** What an exchange weighs in the balance, in bytes. */
import type { Framing } from '../http1/framing.ts';

/**
 * Each exchange, whatever its bodies: the heads and the work they cause. Without it a node that answers nothing weighs
 * nothing and is the lightest of all.
 */
export const exchangeWeight = 64 << 10;

/** A body whose length nobody has declared. */
const unknownLength = 16 << 20;

/** A body still to be moved. */
export function bodyWeight(framing: Framing): number {
  switch (framing.kind) {
    case 'none':
      return 0;
    case 'length':
      return framing.length;
    case 'chunked':
    case 'until-close':
      return unknownLength;
  }
}
