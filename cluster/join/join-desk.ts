import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import type { CreateJoinTokenRequest, CreateJoinTokenResponseSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { authorityIn } from './authority-files.ts';
import { joinRoles } from './join-roles.ts';
import { JoinTokens } from './join-tokens.ts';
import { formatJoinToken } from './token.ts';

/** The part of the admin API about hosts that join. */
export interface JoinDesk {
  createJoinToken(
    request: Pick<CreateJoinTokenRequest, 'roles' | 'ttl'>,
  ): Promise<MessageInitShape<typeof CreateJoinTokenResponseSchema>>;
}

const HOUR = 3600n;
const [LEAST, MOST] = [60n, 7n * 24n * HOUR];

/**
 * Makes tokens for joining.
 *
 * @param folder - credentials of the coordinator; undefined in a cluster without TLS, where it fails with `failed_precondition`
 */
export function joinDesk(context: { bus: Bus; clock: Clock }, folder: string | undefined): JoinDesk {
  const tokens = new JoinTokens(context);
  return {
    async createJoinToken({ roles: names, ttl }) {
      const roles = joinRoles(names, 'roles');
      const seconds = ttl?.seconds ?? HOUR;
      if (seconds < LEAST || seconds > MOST || (ttl?.nanos ?? 0) !== 0)
        throw new MillraceError('invalid_argument', `ttl: got ${seconds} s, expected ${LEAST} (1m) to ${MOST} (7d).`, {
          field: 'ttl',
        });
      const { authorityFingerprint } = await import('../../src/identity/authority.ts');
      const authority = authorityFingerprint(authorityIn(folderOf(folder)).cert);
      const { secret, expiresAt } = await tokens.create(roles, Number(seconds) * 1000);
      return { token: formatJoinToken({ authority, secret }), expireTime: timestampFromMs(expiresAt) };
    },
  };
}

function folderOf(folder: string | undefined): string {
  if (folder !== undefined) return folder;
  throw new MillraceError(
    'failed_precondition',
    'Hosts join clusters with TLS, as `millrace cluster init` prepares them; this one has no section tls in its settings.',
    { field: 'tls' },
  );
}
