import { randomUUID } from 'node:crypto';
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
function inLine(number: number, thrown: unknown): MillraceError {
  const { code, message, field } = MillraceError.from(thrown);
  return new MillraceError(code, `line ${number}: ${message}`, { cause: thrown, ...(field !== undefined && { field }) });
}

async function insert(store: Store, table: 'steps' | 'trajectories', rows: readonly string[]): Promise<void> {
  if (rows.length === 0) return;
  const block = Buffer.from(`${rows.join('\n')}\n`, 'utf8');
  // Not a digest of the rows: the same rows after others with their keys must be the newest again.
  await store.insert(table, block, `import-${randomUUID()}`);
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
  /** Where each key was first. */
  readonly #lines = new Map<string, number>();
  /** How often lines without an id came, by the key of the first. */
  readonly #repetitions = new Map<string, number>();

  constructor(options: { job?: string | undefined } = {}) {
    this.#options = options;
  }

  /** Throws `invalid_argument` with the line's number and the field. */
  check(text: string, number: number): CheckedLine {
    try {
      const read = readLine(text, this.#options);
      const first = this.#lines.get(read.key);
      if (first === undefined) return this.#keep(read, text, number);
      if (hasId(text))
        throw new MillraceError('invalid_argument', `metadata.trajectory_id: ${read.trajectoryId} is line ${first}'s already`, {
          field: 'metadata.trajectory_id',
        });
      const repetition = (this.#repetitions.get(read.key) ?? 0) + 1;
      this.#repetitions.set(read.key, repetition);
      const again = readLine(text, { ...this.#options, repetition });
      return this.#keep(again, withId(text, again.trajectoryId), number);
    } catch (thrown) {
      throw inLine(number, thrown);
    }
  }

  #keep(read: ReadLine, text: string, number: number): CheckedLine {
    this.#lines.set(read.key, number);
    return { ...read, text };
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
