/** One line about what goes on: rewritten on a terminal, else said again every few seconds. */
export interface Progress {
  /** What goes on now. Cheap: call it as often as there is news. */
  say(text: string): void;
  /** A line that stays. */
  note(text: string): void;
  /** Leaves the line. */
  close(): void;
}

/** Options of {@link createProgress}. */
export interface ProgressOptions {
  /** Where it goes. Default: standard error. */
  stream?: { isTTY?: boolean; columns?: number; write(text: string): unknown };
  /** Between two lines where they cannot be rewritten, in ms. Default 5000. */
  everyMs?: number;
  /** Default performance.now. */
  now?: () => number;
}

/** Rewrites a terminal's line at most this often, in ms. */
const REWRITE_MS = 100;

/** See {@link Progress}. */
export function createProgress(options: ProgressOptions = {}): Progress {
  const { stream = process.stderr, everyMs = 5000, now = () => performance.now() } = options;
  const terminal = stream.isTTY === true;
  let said = -Infinity;
  let shown = false;
  const clear = (): void => {
    if (shown) stream.write('\r\u001b[2K');
    shown = false;
  };
  return {
    say(text) {
      if (now() - said < (terminal ? REWRITE_MS : everyMs)) return;
      said = now();
      if (!terminal) return void stream.write(`${text}\n`);
      const width = Math.max(20, (stream.columns ?? 80) - 1);
      stream.write(`\r\u001b[2K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`);
      shown = true;
    },
    note(text) {
      clear();
      stream.write(`${text}\n`);
    },
    close: clear,
  };
}
