import type { LastActivity } from '../runtime/node-end.ts';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ActivityLabel } from '../../src/clock/activity.ts';
import type { Clock } from '../../src/clock/clock.ts';

const SIZE = 1024;
const RUNS = 'R';
const HAS_RUN = '-';

/** Where a node writes what it runs. */
export function blackBoxFile(stateDir: string, node: string): string {
  return join(stateDir, 'logs', `${node}.running`);
}

/**
 * The last piece of flow code that a process began, in a file: whatever ends the process (a kill, a crash of native code, no memory), the
 * supervisor can still read it. One small write when code begins and one when it lets go; both take about 1.6 µs (ADR 0042).
 */
export class BlackBox {
  readonly #fd: number;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #buffer = Buffer.alloc(SIZE);
  readonly #ended = Buffer.from(HAS_RUN);

  constructor(file: string, clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#fd = openSync(file, 'w', 0o600);
  }

  began({ job, flow, task, part }: ActivityLabel): void {
    const length = this.#buffer.write(`${RUNS}${JSON.stringify([this.#clock.now(), job, flow, part, task])}\n`);
    this.#write(this.#buffer, length);
  }

  ended(): void {
    this.#write(this.#ended, 1);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(bytes: Buffer, length: number): void {
    try {
      writeSync(this.#fd, bytes, 0, length, 0);
    } catch {
      // A full disk must not end a flow; then nobody knows what ran.
    }
  }
}

/** What a node that has ended ran last; undefined when it ran nothing of a flow. */
export function readBlackBox(file: string): LastActivity | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    const [at, job, flow, part, task] = JSON.parse(text.slice(1, text.indexOf('\n'))) as [number, string, string, string, string];
    return { running: text.startsWith(RUNS), at, job, flow, part, task };
  } catch {
    return undefined;
  }
}

/** {@link readBlackBox}, and removes it: the next process may end before it has one of its own. */
export function takeBlackBox(file: string): LastActivity | undefined {
  const last = readBlackBox(file);
  rmSync(file, { force: true });
  return last;
}

/** `tool 'left' of flow 'levers' on task 'task-7'`. */
export function activityText({ flow, part, task }: ActivityLabel): string {
  return `${part} of flow '${flow}' on task '${task}'`;
}
