import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs, type Duration } from '@bufbuild/protobuf/wkt';
import type { Caller } from '../../src/access/authenticator.ts';
import { CREDENTIAL_NAME, hashOf, invalidity, type Credential } from '../../src/access/credential.ts';
import { scopesNamed } from '../../src/access/scopes.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { OWNER_PATTERN } from '../../src/config/owner.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  CredentialState,
  type CreateCredentialRequest,
  type CredentialSchema,
  type RotateCredentialRequest,
} from '../../src/gen/millrace/v1/access_pb.ts';
import { CredentialStore, newToken } from './credential-store.ts';

type View = MessageInitShape<typeof CredentialSchema>;
type Stored = Omit<Credential, 'format'>;

const DAY = 24 * 3600;
const TTL = { least: 60, most: 366 * DAY, byDefault: 30 * DAY };
const OVERLAP = { least: 0, most: 7 * DAY, byDefault: 0 };

/** The part of the admin API about named credentials. */
export interface CredentialDesk {
  createCredential(request: CreateCredentialRequest, caller: Caller | undefined): Promise<{ credential: View; token: string }>;
  listCredentials(): Promise<{ credentials: View[] }>;
  revokeCredential(request: { name: string }): Promise<{ credential: View }>;
  rotateCredential(request: RotateCredentialRequest): Promise<{ credential: View; token: string }>;
}

/** Makes, shows and ends named credentials; any coordinator does. */
export function credentialDesk({ bus, clock }: { bus: Bus; clock: Pick<Clock, 'now'> }): CredentialDesk {
  const store = new CredentialStore(bus);
  const now = (): number => Math.round(clock.now());
  const view = (credential: Stored): View => viewOf(credential, now());
  return {
    async createCredential({ name: given, owner, scopes, ttl }, caller) {
      const name = checkName(given);
      const token = newToken();
      const at = now();
      const credential: Stored = {
        name,
        owner: checkOwner(owner === '' ? name : owner),
        scopes: scopesNamed(scopes, 'scopes'),
        tokens: [{ sha256: hashOf(token) }],
        createdAt: at,
        createdBy: caller?.name ?? '',
        expiresAt: at + seconds('ttl', ttl, TTL) * 1000,
      };
      await store.create(credential);
      return { credential: view(credential), token };
    },
    listCredentials: async () => ({ credentials: (await store.list()).map(view) }),
    async revokeCredential({ name }) {
      const revoke = (before: Credential): Stored => ({ ...before, revokedAt: before.revokedAt ?? now() });
      return { credential: view(await store.update(checkName(name), revoke)) };
    },
    async rotateCredential({ name, overlap, ttl }) {
      const token = newToken();
      const [kept, longer] = [seconds('overlap', overlap, OVERLAP) * 1000, ttl && seconds('ttl', ttl, TTL) * 1000];
      const rotate = (before: Credential): Stored => {
        const at = now();
        const expiresAt = longer === undefined ? before.expiresAt : at + longer;
        const why = invalidity({ ...before, expiresAt }, at);
        if (why !== undefined)
          throw new MillraceError(
            'failed_precondition',
            `The credential ${why}; make another, or give a ttl to one that has expired.`,
            {
              field: 'name',
            },
          );
        const earlier = kept === 0 ? [] : [{ sha256: before.tokens[0]!.sha256, until: at + kept }];
        return { ...before, tokens: [{ sha256: hashOf(token) }, ...earlier], expiresAt, rotatedAt: at };
      };
      return { credential: view(await store.update(checkName(name), rotate)), token };
    },
  };
}

function viewOf(credential: Stored, now: number): View {
  const { name, owner, scopes, tokens, createdAt, createdBy, expiresAt, rotatedAt, revokedAt } = credential;
  const state =
    revokedAt !== undefined ? CredentialState.REVOKED : expiresAt <= now ? CredentialState.EXPIRED : CredentialState.ACTIVE;
  const overlap = tokens[1]?.until;
  return {
    ...{ name, owner, scopes, state, createdBy },
    createTime: timestampFromMs(createdAt),
    expireTime: timestampFromMs(expiresAt),
    ...(rotatedAt !== undefined && { rotateTime: timestampFromMs(rotatedAt) }),
    ...(revokedAt !== undefined && { revokeTime: timestampFromMs(revokedAt) }),
    ...(overlap !== undefined && overlap > now && { overlapEndTime: timestampFromMs(overlap) }),
  };
}

function checkName(name: string): string {
  if (CREDENTIAL_NAME.test(name)) return name;
  const message = `name: got ${JSON.stringify(name.slice(0, 60))}, expected 1 to 40 of a-z, 0-9 and "-".`;
  throw new MillraceError('invalid_argument', message, { field: 'name' });
}

function checkOwner(owner: string): string {
  if (OWNER_PATTERN.test(owner)) return owner;
  const message = `owner: got ${JSON.stringify(owner.slice(0, 80))}, expected 1 to 64 of a-z, 0-9, ".", "_", "@" and "-".`;
  throw new MillraceError('invalid_argument', message, { field: 'owner' });
}

function seconds(field: string, given: Duration | undefined, { least, most, byDefault }: typeof TTL): number {
  if (given === undefined) return byDefault;
  const value = Number(given.seconds);
  if (value >= least && value <= most && given.nanos === 0) return value;
  const message = `${field}: got ${value} s, expected ${least} to ${most} (${most / DAY}d), whole seconds.`;
  throw new MillraceError('invalid_argument', message, { field });
}
