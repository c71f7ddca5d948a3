import type { Bus } from '../bus/bus.ts';
import { deadLetterOf } from '../bus/dead-letter.ts';
import type { DeadLetter } from '../bus/dead-letter.ts';
import { DLQ, SCORED, type StreamName } from './names.ts';
import { ALL, deadLetterSubject, scoredSubject } from './subjects.ts';

/** A dead letter as it lies in the DLQ. */
export interface StoredLetter extends DeadLetter {
  /** Its sequence in the DLQ. */
  letter: number;
  /** When it was given up: Unix time in milliseconds. */
  givenUpAtMs: number;
}

/** Options of {@link readDeadLetters}. */
export interface ReadLettersOptions {
  /** Only those given up in this stream. Default: all. */
  stream?: StreamName | undefined;
  /** From this sequence of the DLQ on. Default 1. */
  from?: number;
}

/** The dead letters, oldest first. Reading changes nothing. */
export async function* readDeadLetters(bus: Bus, options: ReadLettersOptions = {}): AsyncIterable<StoredLetter> {
  const filter = options.stream === undefined ? ALL.deadLetters : deadLetterSubject(options.stream);
  for await (const message of bus.read(DLQ, filter, options.from ?? 1))
    yield { ...deadLetterOf(message), letter: message.sequence, givenUpAtMs: message.timeMs };
}

/** The dead letter with this sequence of the DLQ, if it is still there. */
export async function findDeadLetter(bus: Bus, letter: number): Promise<StoredLetter | undefined> {
  for await (const found of readDeadLetters(bus, { from: letter })) return found.letter === letter ? found : undefined;
  return undefined;
}

/**
 * Where a letter is published again. Requests, groups and events go where they came from. A scored group goes to `scored.<job>.rows`,
 * which only the writer reads: its job has counted it, or will count it, by the message that was given up there, and must not be
 * given another.
 */
function replaySubject({ stream, subject }: Pick<DeadLetter, 'stream' | 'subject'>): string {
  return stream === SCORED ? scoredSubject(subject.split('.')[1] ?? '', 'rows') : subject;
}

/**
 * Publishes a letter again, and removes it from the DLQ when the bus has confirmed that. A crash in between leaves the letter; the
 * next replay has the same message id, which the stream drops within its duplicate window, and after that the rows collapse by
 * their keys and requests by their place in the ledger. Throws what {@link Bus.publish} throws; the letter then stays.
 */
export async function replayDeadLetter(bus: Bus, letter: StoredLetter): Promise<void> {
  await bus.publish(replaySubject(letter), letter.data, {
    id: `${letter.id}:replay:${letter.letter}`,
    headers: letter.headers,
  });
  await bus.deleteMessage(DLQ, letter.letter);
}
