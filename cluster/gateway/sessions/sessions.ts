import type { Bus } from '../../../src/bus/bus.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import { MillraceError } from '../../../src/errors.ts';
import {
  decodeSession,
  encodeSession,
  SESSION_ID,
  sessionTrajectory,
  type SessionRecord,
} from '../../../src/jobs/sessions/session.ts';
import { SESSIONS } from '../../../src/protocol/names.ts';
import { randomId } from '../../../src/random/id.ts';
import type { Random } from '../../../src/random/random.ts';
import { hashOfKey, isKeyOf, newSessionKey, sessionOfKey } from './keys.ts';

/** What a new session is of. */
export interface NewSession {
  job: string;
  /** `job` names a recording. */
  recording: boolean;
  /** As JSON. */
  task: string;
  taskId: string;
  split: SessionRecord['split'];
  /** Milliseconds until its key expires. */
  lifeMs: number;
}

/** What {@link Sessions} work with. */
export interface SessionsContext {
  bus: Bus;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

const MAX_ATTEMPTS = 20;

/** The sessions of the cluster, as bucket `sessions` has them. */
export class Sessions {
  readonly #context: SessionsContext;

  constructor(context: SessionsContext) {
    this.#context = context;
  }

  /** The key is in this answer alone: what is kept is its hash. */
  async create({ lifeMs, ...what }: NewSession): Promise<{ session: SessionRecord; key: string }> {
    const { bus, clock, random } = this.#context;
    const id = randomId(random).replaceAll('-', '');
    const key = newSessionKey(id);
    const now = clock.now();
    const session: SessionRecord = {
      ...{ format: 1, id, keyHash: hashOfKey(key), ...what, trajectory: sessionTrajectory(what.job, 0, id) },
      ...{ createdAt: now, expiresAt: now + lifeMs },
    };
    await bus.kv(SESSIONS).create(id, encodeSession(session));
    return { session, key };
  }

  /**
   * The session that a key opens. The same error, `unauthenticated`, for one that is wrong and for one that nobody knows; another text
   * for one that has expired or whose session is over.
   */
  async open(key: string): Promise<SessionRecord> {
    const id = sessionOfKey(key);
    const entry = id === undefined ? undefined : await this.#context.bus.kv(SESSIONS).get(id);
    const session = entry && decodeSession(entry.value, id!);
    if (session === undefined || !isKeyOf(session, key))
      throw new MillraceError('unauthenticated', 'The key is of no session; POST /v1/sessions gives one.');
    const problem = this.#problemOf(session);
    if (problem !== undefined) throw new MillraceError('unauthenticated', `${problem}; POST /v1/sessions gives a new one.`);
    return session;
  }

  /** `not_found` where there is none (any more). */
  async find(id: string): Promise<{ session: SessionRecord; revision: number }> {
    const entry = SESSION_ID.test(id) ? await this.#context.bus.kv(SESSIONS).get(id) : undefined;
    if (entry === undefined)
      throw new MillraceError('not_found', 'There is no session with this id; it may have expired.', { field: 'id' });
    return { session: decodeSession(entry.value, id), revision: entry.revision };
  }

  /**
   * Writes what `change` makes of a session; tried again where somebody else has written it meanwhile. `change` returns the same
   * object to leave it, and may throw.
   */
  async update(id: string, change: (session: SessionRecord) => SessionRecord): Promise<SessionRecord> {
    for (let attempt = 1; ; attempt += 1) {
      const { session, revision } = await this.find(id);
      const next = change(session);
      if (next === session) return session;
      try {
        await this.#context.bus.kv(SESSIONS).update(id, encodeSession(next), revision);
        return next;
      } catch (thrown) {
        if (MillraceError.from(thrown).code !== 'aborted' || attempt === MAX_ATTEMPTS) throw thrown;
      }
    }
  }

  #problemOf({ expiresAt, finishedAt }: SessionRecord): string | undefined {
    if (finishedAt !== undefined) return 'The session of this key is finished';
    return this.#context.clock.now() < expiresAt ? undefined : 'The key has expired';
  }
}
