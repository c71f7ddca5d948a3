import { createHash } from 'node:crypto';

/** A call whose messages the next one of its session may begin with. */
interface Before {
  call: string;
  digests: readonly string[];
}

/** What a request has in common with the call before it. */
export interface SharedMessages {
  /** Empty where it shares nothing. */
  continues: string;
  shared: number;
}

/** Sessions remembered; beyond it those that have not called for longest are forgotten, and their next request is stored whole. */
const MOST_SESSIONS = 5_000;

const digestOf = (message: unknown): string => createHash('sha256').update(JSON.stringify(message)).digest('base64url');

/** Knows the messages of each session's last call, by their digests: what comes again is not stored again. */
export class MessageMemory {
  /** In the order of their last call. */
  readonly #sessions = new Map<string, Before>();

  /** How many of the first messages are those of the call before. */
  compare(session: string, call: string, messages: readonly unknown[]): SharedMessages & { remember: () => void } {
    const before = this.#sessions.get(session);
    const digests = messages.map(digestOf);
    let shared = 0;
    while (shared < digests.length && digests[shared] === before?.digests[shared]) shared += 1;
    return {
      continues: shared > 0 ? before!.call : '',
      shared,
      // Only what the journal has may be referred to.
      remember: () => {
        this.#sessions.delete(session);
        this.#sessions.set(session, { call, digests });
        const oldest = this.#sessions.keys().next();
        if (this.#sessions.size > MOST_SESSIONS && !oldest.done) this.#sessions.delete(oldest.value);
      },
    };
  }
}
