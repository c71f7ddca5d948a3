import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import { JOINS } from '../../src/protocol/names.ts';
import { newSecret } from '../infra/credentials.ts';
import { JOIN_ROLES, type JoinRole } from './join-roles.ts';

const recordSchema = z.strictObject({ roles: z.array(z.enum(JOIN_ROLES)).min(1), expiresAt: z.number() });

/** A token that can be used, as it was found. */
export interface FoundToken {
  readonly roles: readonly JoinRole[];
  /** Uses it up. `unauthenticated` when somebody else has meanwhile. */
  consume(): Promise<void>;
}

/** Tokens for joining, as bucket `joins` holds them: by the SHA-256 of their secret. */
export class JoinTokens {
  readonly #bus: Bus;
  readonly #clock: Clock;

  constructor({ bus, clock }: { bus: Bus; clock: Clock }) {
    this.#bus = bus;
    this.#clock = clock;
  }

  /** Makes a secret that can be used once, for `ttlMs`. */
  async create(roles: readonly JoinRole[], ttlMs: number): Promise<{ secret: string; expiresAt: number }> {
    const secret = newSecret(32);
    const expiresAt = this.#clock.now() + ttlMs;
    await this.#bus.kv(JOINS).create(keyOf(secret), new TextEncoder().encode(JSON.stringify({ roles, expiresAt })));
    return { secret, expiresAt };
  }

  /** `unauthenticated`, with the same words, for one that is unknown, used or expired. */
  async find(secret: string): Promise<FoundToken> {
    const kv = this.#bus.kv(JOINS);
    const key = keyOf(secret);
    const entry = await kv.get(key);
    const record = entry && decodeJoinRecord(entry.value);
    if (record === undefined || record.expiresAt <= this.#clock.now()) throw unusable();
    return {
      roles: record.roles,
      consume: () =>
        kv.delete(key, entry!.revision).catch((thrown: unknown) => {
          const error = MillraceError.from(thrown);
          throw error.code === 'aborted' ? unusable() : error;
        }),
    };
  }
}

const keyOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** What the bucket holds under a key; throws what is wrong with it. */
export function decodeJoinRecord(value: Uint8Array): z.infer<typeof recordSchema> {
  return recordSchema.parse(JSON.parse(new TextDecoder().decode(value)));
}

function unusable(): MillraceError {
  return new MillraceError(
    'unauthenticated',
    'This token is unknown, was used, or has expired; make another with `millrace cluster token create`.',
    { field: 'token' },
  );
}
