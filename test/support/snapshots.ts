/** What a policy source tells, kept in order and waited for. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { PolicySource, Snapshot } from '../../src/policy/sources/source.ts';

export class Listener {
  readonly heard: Snapshot[] = [];
  /** When each of them was, by `performance.now()`. */
  readonly times: number[] = [];
  readonly #news = new EventEmitter().setMaxListeners(0);

  constructor(source: PolicySource) {
    source.start((snapshot) => {
      this.heard.push(snapshot);
      this.times.push(performance.now());
      this.#news.emit('news');
    });
  }

  /** The first from the `from`th on that `fits`; fails after 10 s. */
  async until(fits: (snapshot: Snapshot) => boolean, from = 0): Promise<Snapshot> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), 10_000);
    try {
      for (let at = from; ; at++) {
        if (at >= this.heard.length) await this.#next(late.signal);
        const snapshot = this.heard[at];
        if (snapshot && fits(snapshot)) return snapshot;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #next(signal: AbortSignal): Promise<void> {
    const heard = await once(this.#news, 'news', { signal }).catch(() => undefined);
    if (!heard)
      assert.fail(`not heard within 10 s; the last: ${JSON.stringify(this.heard.at(-1))?.slice(0, 500)}`);
  }

  /** The first from the `from`th on that was read. */
  async read(from = 0): Promise<Extract<Snapshot, { kind: 'read' }>> {
    const found = await this.until(({ kind }) => kind === 'read', from);
    assert.ok(found.kind === 'read');
    return found;
  }

  /** Of the first from the `from`th on that was not: why. */
  async why(from = 0): Promise<string> {
    const found = await this.until(({ kind }) => kind === 'unreachable', from);
    assert.ok(found.kind === 'unreachable');
    return found.why;
  }
}

/** By name. */
export function textsOf(snapshot: Snapshot | undefined): Record<string, string> {
  assert.ok(snapshot?.kind === 'read', JSON.stringify(snapshot)?.slice(0, 500));
  return Object.fromEntries(snapshot.texts.map(({ name, text }) => [name, text]));
}
