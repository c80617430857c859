/** Change notices from the kernel. They come at once where they come; overlay and network mounts give none. */
import { type FSWatcher, watch } from 'node:fs';

export interface WatchTarget {
  readonly directory: string;
  /** Which of its entries are of interest. */
  readonly concerns: (name: string) => boolean;
}

export class Watch {
  readonly #onChange: () => void;
  #watchers: FSWatcher[] = [];
  #aim = '';

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /**
   * Watches `targets` from now on. `identity` says which directories these are: a name may come to mean another.
   * False where these were watched already.
   */
  aim(identity: string, targets: readonly WatchTarget[]): boolean {
    if (identity === this.#aim) return false;
    this.close();
    this.#aim = identity;
    for (const { directory, concerns } of targets) {
      try {
        const watcher = watch(directory, { persistent: false }, (_event, name) => {
          if (name === null || concerns(name)) this.#onChange();
        });
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // No watches left, or none here: polling sees the change a little later.
      }
    }
    return true;
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    this.#aim = '';
  }
}
