/** Whether a node is trusted: pure decisions over the times of its failures. Times are milliseconds of one clock. */

export interface EjectionOptions {
  /** How long the first ejection lasts, milliseconds; doubled with each that follows before a good answer. */
  readonly baseTime: number;
  readonly maxTime: number;
  /** Failed exchanges in a row that eject a node. A failed dial ejects at once. */
  readonly failures: number;
  /** Share of a cluster's nodes that failed exchanges may eject, 0 to 100. Failed dials are not bound by it. */
  readonly maxPercent: number;
}

export interface Ejection {
  /** Milliseconds. */
  readonly lasts: number;
  /** No good answer came since the ejection before. */
  readonly again: boolean;
}

export class Health {
  readonly #options: EjectionOptions;
  /** Ejections since the last good answer. */
  #ejections = 0;
  #until = 0;
  #ejectedAt = Number.NEGATIVE_INFINITY;
  /** The ejection is over, and one exchange tries the node. */
  #probing = false;
  #failures = 0;

  constructor(options: EjectionOptions) {
    this.#options = options;
  }

  isEjected(now: number): boolean {
    return now < this.#until;
  }

  /** It was ejected, and no good answer has come since. */
  get onTrial(): boolean {
    return this.#ejections > 0;
  }

  /** Failed exchanges since the last good answer. */
  get failures(): number {
    return this.#failures;
  }

  /** An exchange begins. After an ejection it goes alone: others follow when it is answered, or after `baseTime`. */
  begin(now: number): void {
    if (this.#ejections === 0 || now < this.#until) return;
    this.#until = now + this.#options.baseTime;
    this.#probing = true;
  }

  /** Undefined where the node is out already: what fails together is one failure and not many in a row. */
  eject(now: number, begunAt: number): Ejection | undefined {
    if (begunAt < this.#ejectedAt || (now < this.#until && !this.#probing)) return undefined;
    const { baseTime, maxTime } = this.#options;
    const lasts = Math.min(baseTime * 2 ** this.#ejections, maxTime);
    const again = this.#ejections > 0;
    this.#until = now + lasts;
    this.#ejectedAt = now;
    this.#probing = false;
    this.#ejections = Math.min(this.#ejections + 1, 30);
    return { lasts, again };
  }

  /** An exchange failed. True where that makes enough of them in a row to eject the node. */
  fail(begunAt: number): boolean {
    if (begunAt < this.#ejectedAt) return false;
    this.#failures += 1;
    return this.#failures >= this.#options.failures;
  }

  /**
   * A good answer. True where it ends an ejection, or the time of trial after one; that to an exchange begun before the
   * ejection does not.
   */
  recover(begunAt: number): boolean {
    if (begunAt < this.#ejectedAt) return false;
    this.#failures = 0;
    if (this.#ejections === 0) return false;
    this.#ejections = 0;
    this.#until = 0;
    this.#ejectedAt = Number.NEGATIVE_INFINITY;
    this.#probing = false;
    return true;
  }
}

/**
 * How an answer's status speaks of its node: `bad` where it says of itself that it can't serve (502, 503, 504),
 * `good` below 500, also 429; other errors may be the request's and say nothing.
 */
export function judgeStatus(status: number): 'good' | 'bad' | 'neither' {
  if (status < 500) return 'good';
  return status >= 502 && status <= 504 ? 'bad' : 'neither';
}

/** Whether failed exchanges may eject one more of `nodes`: one client's poison must not take a whole cluster away. */
export function mayEjectOneMore(
  nodes: readonly { isEjected(now: number): boolean }[],
  maxPercent: number,
  now: number,
): boolean {
  let ejected = 0;
  for (const node of nodes) if (node.isEjected(now)) ejected += 1;
  return (ejected + 1) * 100 <= nodes.length * maxPercent;
}
