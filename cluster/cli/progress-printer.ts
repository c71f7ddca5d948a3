import type { CliOutput } from './context.ts';
import { progressLine } from './progress.ts';
import type { ProgressView } from './progress.ts';

/** Shows progress: one line that is rewritten on a terminal, else plain lines. */
export interface ProgressPrinter {
  /** The newest state. */
  update(view: ProgressView): void;
  /** Prints a line above the progress line. */
  note(line: string): void;
  /** Ends the progress line; the last state is always shown. */
  end(): void;
}

/** A new state is shown at most this often when it is not a terminal, and only for a new round, another state or a quiet job. */
const PLAIN_INTERVAL_MS = 1000;
/** That a job is still quiet is shown this often. */
const QUIET_INTERVAL_MS = 60_000;

/** A printer to `out`. `now`: monotonic milliseconds. */
export function createProgressPrinter(out: CliOutput, now: () => number = () => performance.now()): ProgressPrinter {
  return out.isTTY === true ? new TerminalPrinter(out) : new PlainPrinter(out, now);
}

class TerminalPrinter implements ProgressPrinter {
  readonly #out: CliOutput;
  #line = '';

  constructor(out: CliOutput) {
    this.#out = out;
  }

  update(view: ProgressView): void {
    // One column less than there are: a full line would wrap and could not be rewritten.
    const line = progressLine(view, (this.#out.columns ?? 80) - 1);
    if (line === this.#line) return;
    this.#line = line;
    this.#out.write(`\r\x1b[2K${line}`);
  }

  note(line: string): void {
    this.#out.write(this.#line === '' ? `${line}\n` : `\r\x1b[2K${line}\n${this.#line}`);
  }

  end(): void {
    if (this.#line !== '') this.#out.write('\n');
    this.#line = '';
  }
}

class PlainPrinter implements ProgressPrinter {
  readonly #out: CliOutput;
  readonly #now: () => number;
  #shown: ProgressView | undefined;
  #shownAt = -Infinity;
  #newest: ProgressView | undefined;

  constructor(out: CliOutput, now: () => number) {
    this.#out = out;
    this.#now = now;
  }

  update(view: ProgressView): void {
    this.#newest = view;
    if (this.#isNews(view)) this.#show(view);
  }

  #isNews(view: ProgressView): boolean {
    const { state, round, quiet } = this.#shown ?? {};
    const shownMs = this.#now() - this.#shownAt;
    if (view.state !== state || (view.quiet && quiet !== true)) return true;
    return shownMs >= (view.quiet ? QUIET_INTERVAL_MS : PLAIN_INTERVAL_MS) && (view.quiet || view.round !== round);
  }

  note(line: string): void {
    this.#out.write(`${line}\n`);
  }

  end(): void {
    if (this.#newest && progressLine(this.#newest) !== (this.#shown && progressLine(this.#shown))) this.#show(this.#newest);
    this.#newest = undefined;
  }

  #show(view: ProgressView): void {
    this.#shown = view;
    this.#shownAt = this.#now();
    this.#out.write(`${progressLine(view)}\n`);
  }
}
