import { MillraceError } from '../../errors.ts';
import type { StoredMessage, StreamState } from '../bus.ts';
import { subjectMatches } from '../subject.ts';
import type { StreamSpec } from '../topology.ts';

/** What a server adds to each message on its disk; close enough for byte limits. */
const OVERHEAD_BYTES = 30;
/** How long a server may wait before it writes down which settled messages are gone, in ms. */
const UNWRITTEN_MS = 30_000;

function sizeOf(message: StoredMessage): number {
  let bytes = OVERHEAD_BYTES + message.subject.length + message.data.byteLength + message.id.length;
  for (const name in message.headers) bytes += name.length + message.headers[name]!.length + 4;
  return bytes;
}

/** The stored messages of one stream: sequence numbers, duplicate window and limits. Knows nothing of consumers. */
export class MemoryStream {
  readonly spec: StreamSpec;
  readonly created: string;
  /** In order of sequence. */
  readonly messages = new Map<number, StoredMessage>();
  lastSequence = 0;
  /** Called with every message that leaves, for whatever reason. */
  onRemoved: (sequence: number) => void = () => {};
  /** Whether anyone will read a message on this subject; interest streams do not keep what nobody waits for. */
  hasInterest: (subject: string) => boolean = () => true;

  private readonly now: () => number;
  private bytes = 0;
  private readonly subjects = new Map<string, Set<number>>();
  private readonly ids = new Map<string, { sequence: number; timeMs: number }>();
  private readonly killable: boolean;
  /** Settled messages whose end may not be on the disk, oldest first. */
  private unwritten: { at: number; message: StoredMessage }[] = [];

  /** @param created - tells it from others of its name */
  constructor(spec: StreamSpec, { now, created, killable }: { now: () => number; created: string; killable: boolean }) {
    this.spec = spec;
    this.created = created;
    this.now = now;
    this.killable = killable;
  }

  /** Stores a message unless one with the same `dedup` is remembered; `data` must not change afterwards. */
  append(
    { subject, data, headers, id }: Pick<StoredMessage, 'subject' | 'data' | 'headers' | 'id'>,
    dedup: string,
  ): { sequence: number; duplicate: boolean } {
    this.expire();
    const timeMs = this.now();
    const known = this.ids.get(dedup);
    if (known !== undefined) return { sequence: known.sequence, duplicate: true };
    const message: StoredMessage = { subject, data, headers, sequence: this.lastSequence + 1, id, timeMs };
    const size = sizeOf(message);
    const { maxBytes, maxMessages, maxPerSubject, discard } = this.spec;
    const onSubject = this.subjects.get(subject)?.size ?? 0;
    const replaces = maxPerSubject >= 0 && onSubject >= maxPerSubject;
    if (discard === 'new' && !replaces) {
      if (maxMessages >= 0 && this.messages.size >= maxMessages) throw this.full('maximum messages exceeded');
      if (maxBytes >= 0 && this.bytes + size > maxBytes) throw this.full('maximum bytes exceeded');
    }
    this.lastSequence++;
    this.ids.set(dedup, { sequence: message.sequence, timeMs });
    if (this.spec.retention === 'interest' && !this.hasInterest(subject)) return { sequence: message.sequence, duplicate: false };
    const sequences = this.add(message);
    if (maxPerSubject >= 0) {
      for (const sequence of sequences) {
        if (sequences.size <= maxPerSubject) break;
        this.remove(sequence);
      }
    }
    for (const sequence of this.messages.keys()) {
      if ((maxMessages < 0 || this.messages.size <= maxMessages) && (maxBytes < 0 || this.bytes <= maxBytes)) break;
      this.remove(sequence);
    }
    return { sequence: message.sequence, duplicate: false };
  }

  /** Deletes one message; false when it was not there. */
  remove(sequence: number): boolean {
    const message = this.messages.get(sequence);
    if (message === undefined) return false;
    this.messages.delete(sequence);
    this.bytes -= sizeOf(message);
    const sequences = this.subjects.get(message.subject);
    sequences?.delete(sequence);
    if (sequences?.size === 0) this.subjects.delete(message.subject);
    this.onRemoved(sequence);
    return true;
  }

  /** Removes a message because everybody who was to get it is done with it. */
  settle(sequence: number): void {
    const message = this.messages.get(sequence);
    if (!this.remove(sequence) || !this.killable) return;
    const at = this.now();
    const first = this.unwritten.findIndex((one) => one.at > at - UNWRITTEN_MS);
    // The file of a block without messages is deleted at once.
    this.unwritten = this.messages.size === 0 || first < 0 ? [] : this.unwritten.slice(first);
    if (this.messages.size > 0) this.unwritten.push({ at, message: message! });
  }

  /** Has settled messages again whose end the server had not written down when it was killed: those of the last `forMs`. */
  restore(forMs: number): void {
    const since = this.now() - forMs;
    const back = this.unwritten.filter(({ at }) => at > since).map(({ message }) => message);
    this.unwritten = [];
    if (back.length === 0) return;
    const all = [...this.messages.values(), ...back].sort((a, b) => a.sequence - b.sequence);
    this.messages.clear();
    this.subjects.clear();
    this.bytes = 0;
    for (const message of all) this.add(message);
  }

  /** Forgets the ids of messages that are not stored any more: a server reads them from what it has stored when it starts. */
  forgetIds(): void {
    for (const [id, { sequence }] of this.ids) if (!this.messages.has(sequence)) this.ids.delete(id);
  }

  get(sequence: number): StoredMessage | undefined {
    this.expire();
    return this.messages.get(sequence);
  }

  last(subject: string): StoredMessage | undefined {
    this.expire();
    let newest: number | undefined;
    for (const sequence of this.subjects.get(subject) ?? []) newest = sequence;
    return newest === undefined ? undefined : this.messages.get(newest);
  }

  purge(filter: string): number {
    this.expire();
    let purged = 0;
    for (const [subject, sequences] of this.subjects) {
      if (!subjectMatches(filter, subject)) continue;
      for (const sequence of sequences) if (this.remove(sequence)) purged++;
    }
    return purged;
  }

  state(filter?: string): StreamState {
    this.expire();
    if (filter === undefined) return { messages: this.messages.size, bytes: this.bytes, lastSequence: this.lastSequence };
    let messages = 0;
    let bytes = 0;
    for (const [subject, sequences] of this.subjects) {
      if (!subjectMatches(filter, subject)) continue;
      messages += sequences.size;
      for (const sequence of sequences) bytes += sizeOf(this.messages.get(sequence)!);
    }
    return { messages, bytes, lastSequence: this.lastSequence };
  }

  /** Messages by subject. */
  counts(filter: string): ReadonlyMap<string, number> {
    this.expire();
    const counts = new Map<string, number>();
    for (const [subject, { size }] of this.subjects) if (size > 0 && subjectMatches(filter, subject)) counts.set(subject, size);
    return counts;
  }

  /** Returns the sequences of its subject. */
  private add(message: StoredMessage): Set<number> {
    this.messages.set(message.sequence, message);
    this.bytes += sizeOf(message);
    const sequences = (this.subjects.get(message.subject) ?? new Set<number>()).add(message.sequence);
    this.subjects.set(message.subject, sequences);
    return sequences;
  }

  private expire(): void {
    const now = this.now();
    for (const [id, { timeMs }] of this.ids) {
      if (timeMs + this.spec.duplicateWindowMs > now) break;
      this.ids.delete(id);
    }
    if (this.spec.maxAgeMs === 0) return;
    for (const [sequence, { timeMs }] of this.messages) {
      if (timeMs + this.spec.maxAgeMs > now) break;
      this.remove(sequence);
    }
  }

  private full(reason: string): MillraceError {
    return new MillraceError(
      'resource_exhausted',
      `stream ${this.spec.name} is full (${reason}); publish again when it has been worked off`,
    );
  }
}
