import type { CliOutput } from './context.ts';

/** Between two plain lines, in milliseconds. */
const PLAIN_INTERVAL_MS = 5000;

/** How far something is: one line that is rewritten on a terminal, else a line now and then. */
export class StatusLine {
  readonly #out: CliOutput;
  readonly #now: () => number;
  #shownAt: number;
  #line = '';

  /** `now`: monotonic milliseconds. */
  constructor(out: CliOutput, now: () => number = () => performance.now()) {
    this.#out = out;
    this.#now = now;
    this.#shownAt = now();
  }

  update(line: string): void {
    if (this.#out.isTTY) {
      this.#line = line.slice(0, (this.#out.columns ?? 80) - 1);
      this.#out.write(`\r\x1b[2K${this.#line}`);
    } else if (this.#now() - this.#shownAt >= PLAIN_INTERVAL_MS) {
      this.#shownAt = this.#now();
      this.#out.write(`${line}\n`);
    }
  }

  /** A line of its own, above. */
  note(line: string): void {
    this.#out.write(this.#line === '' ? `${line}\n` : `\r\x1b[2K${line}\n${this.#line}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#line !== '') this.#out.write('\r\x1b[2K');
    this.#line = '';
  }
}
