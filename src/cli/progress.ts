/** How far a transfer is: a bar that redraws itself on a terminal, a line a quarter elsewhere. */

export interface Progress {
  moved(bytes: number): void;
  /** Leaves the line free for what is printed next. */
  end(): void;
}

/** As much of a stream as is needed of stdout. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const width = 30;
const redrawInterval = 50;

export function createProgress(output: Output, title: string, total: number): Progress {
  const began = performance.now();
  let drawn = 0;
  let quarter = 0;

  const text = (bytes: number): string => {
    const seconds = Math.max(performance.now() - began, 1) / 1000;
    return `${(bytes / 1e6).toFixed(0).padStart(4)} MB  ${(bytes / 1e6 / seconds).toFixed(0).padStart(5)} MB/s`;
  };
  const bar = (bytes: number): string => {
    const full = Math.round((width * Math.min(bytes, total)) / total);
    return `\r  ${title.padEnd(5)} [${'='.repeat(full)}${' '.repeat(width - full)}] ${text(bytes)}`;
  };
  return {
    moved(bytes) {
      if (output.isTTY) {
        const now = performance.now();
        if (now - drawn < redrawInterval && bytes < total) return;
        drawn = now;
        output.write(bar(bytes));
        return;
      }
      const reached = Math.floor((4 * bytes) / total);
      if (reached > quarter)
        output.write(`  ${title.padEnd(5)} ${String(reached * 25).padStart(3)} % ${text(bytes)}\n`);
      quarter = reached;
    },
    end() {
      if (output.isTTY) output.write('\n');
    },
  };
}
