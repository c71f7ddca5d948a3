import { closeSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { GroupMessage } from './messages.ts';

/** A group that the stream has acknowledged, with the steps of each member. */
export interface AcceptedGroup {
  sequence: number;
  id: string;
  lengths: number[];
}

/**
 * What was accepted, one line a group: sequence, id, steps of each member. A line is handed to the kernel before the next
 * message is published, so it outlives the process however that ends; a line cut short by a kill is not read.
 */
export class AcceptedLog {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Appends to the file; made when missing. */
  static open(path: string): AcceptedLog {
    const file = openSync(path, 'a');
    // Ends what a kill may have cut short.
    if (fstatSync(file).size > 0) writeSync(file, '\n');
    return new AcceptedLog(file);
  }

  append({ sequence, id, lengths }: GroupMessage): void {
    writeSync(this.#file, `${sequence}\t${id}\t${lengths.join(',')}\t.\n`);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** The groups in a log, by sequence; none when there is no such file. */
  static read(path: string): Map<number, AcceptedGroup> {
    let text = '';
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const groups = new Map<number, AcceptedGroup>();
    for (const line of text.split('\n')) {
      const [sequence, id, lengths, end] = line.split('\t');
      if (id === undefined || lengths === undefined || end !== '.') continue;
      groups.set(Number(sequence), { sequence: Number(sequence), id, lengths: lengths.split(',').map(Number) });
    }
    return groups;
  }
}
