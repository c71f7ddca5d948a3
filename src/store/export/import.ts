import { createHash } from 'node:crypto';
import { MillraceError } from '../../errors.ts';
import type { Store } from '../store.ts';
import { readLine } from './read-line.ts';
import type { ReadLine, ReadLineOptions } from './read-line.ts';

/** Rows that were written. */
export interface Imported {
  trajectories: number;
  steps: number;
}

/**
 * Writes interactions into the store. All lines are read before any is written: when one is wrong, `invalid_argument` says which,
 * counted from 1, and none is written. The same lines again are the same rows.
 */
export async function importLines(
  store: Store,
  lines: readonly string[],
  options: { job?: string | undefined } = {},
): Promise<Imported> {
  const read = lines.map((line, index) => {
    try {
      return readLine(line, options);
    } catch (thrown) {
      throw inLine(index + 1, thrown);
    }
  });
  // Lines of steps repeat their trajectory.
  const trajectories = [...new Set(read.map(({ trajectory }) => trajectory))];
  const steps = read.flatMap((each) => each.steps);
  // Steps first: where it breaks off, there is no trajectory that lacks some.
  await insert(store, 'steps', steps);
  await insert(store, 'trajectories', trajectories);
  return { trajectories: trajectories.length, steps: steps.length };
}

/** An error of a line with the line's number. */
export function inLine(number: number, thrown: unknown): MillraceError {
  const { code, message, field } = MillraceError.from(thrown);
  return new MillraceError(code, `line ${number}: ${message}`, { cause: thrown, ...(field !== undefined && { field }) });
}

async function insert(store: Store, table: 'steps' | 'trajectories', rows: readonly string[]): Promise<void> {
  if (rows.length === 0) return;
  const block = Buffer.from(`${rows.join('\n')}\n`, 'utf8');
  await store.insert(table, block, `import-${createHash('sha256').update(block).digest('hex')}`);
}

/** A line as it is to be sent. */
export interface CheckedLine extends ReadLine {
  /** The line; with an id of its own where the file says the same twice and gives none. */
  text: string;
}

/**
 * Checks the lines of one file, one after the other, and that no two of them are the same row. Remembers the key of every line:
 * about 150 bytes each.
 */
export class LineChecker {
  readonly #options: ReadLineOptions;
  readonly #lines = new Map<string, number>();

  constructor(options: { job?: string | undefined } = {}) {
    this.#options = options;
  }

  /** Throws `invalid_argument` with the line's number and the field. */
  check(text: string, number: number): CheckedLine {
    try {
      for (let repetition = 0; ; repetition += 1) {
        const read = readLine(text, { ...this.#options, repetition });
        const first = this.#lines.get(read.key);
        if (first === undefined) {
          this.#lines.set(read.key, number);
          return { ...read, text: repetition === 0 ? text : withId(text, read.trajectoryId) };
        }
        if (hasId(text))
          throw new MillraceError('invalid_argument', `metadata.trajectory_id: ${read.trajectoryId} is line ${first}'s already`, {
            field: 'metadata.trajectory_id',
          });
      }
    } catch (thrown) {
      throw inLine(number, thrown);
    }
  }
}

interface WithMetadata {
  metadata?: Record<string, unknown>;
}

const hasId = (text: string): boolean => (JSON.parse(text) as WithMetadata).metadata?.['trajectory_id'] !== undefined;

function withId(text: string, id: string): string {
  const line = JSON.parse(text) as WithMetadata;
  return JSON.stringify({ ...line, metadata: { ...line.metadata, trajectory_id: id } });
}
