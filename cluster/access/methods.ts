import type { AdminService } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { Handlers } from '../../src/rpc/handlers.ts';
import type { CredentialDesk } from './credential-desk.ts';

type AccessMethod = 'createCredential' | 'listCredentials' | 'revokeCredential' | 'rotateCredential';

/** The methods of the admin API about who may call it. */
export function accessMethods(credentials: CredentialDesk): Pick<Handlers<typeof AdminService>, AccessMethod> {
  return {
    createCredential: (request, { caller }) => credentials.createCredential(request, caller),
    listCredentials: () => credentials.listCredentials(),
    revokeCredential: (request) => credentials.revokeCredential(request),
    rotateCredential: (request) => credentials.rotateCredential(request),
  };
}
