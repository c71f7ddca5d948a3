import { MillraceError } from '../../errors.ts';
import type { StoredMessage, StreamState } from '../bus.ts';
import { subjectMatches } from '../subject.ts';
import type { StreamSpec } from '../topology.ts';

/** What a server adds to each message on its disk; close enough for byte limits. */
const OVERHEAD_BYTES = 30;

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

  /** @param created - tells it from others of its name */
  constructor(spec: StreamSpec, now: () => number, created: string) {
    this.spec = spec;
    this.created = created;
    this.now = now;
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
    this.messages.set(message.sequence, message);
    this.bytes += size;
    const sequences = this.subjects.get(subject) ?? new Set();
    this.subjects.set(subject, sequences.add(message.sequence));
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
