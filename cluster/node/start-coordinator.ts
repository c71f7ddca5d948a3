import type { Role } from '../runtime/context.ts';
import type { RoleStart } from './role-start.ts';

/** Starts the coordinator, and serves the admin API to those with a credential. */
export async function startCoordinatorRole({
  context,
  settings,
  nodes,
  services,
  closers,
}: RoleStart<'coordinator'>): Promise<Role> {
  const { CoordinatorBackend } = await import('../coordinator/admin-backend.ts');
  const { remoteStore } = await import('../admin/remote-store.ts');
  const { adminService } = await import('../admin/service.ts');
  const { startCoordinator } = await import('../coordinator/index.ts');
  const { CredentialDirectory } = await import('../access/credential-directory.ts');
  const { adminGuard } = await import('../access/admin-guard.ts');
  const { countStored } = await import('../coordinator/unstored-groups.ts');
  const { token, storeToken, gatewayWorkToken, scheduler, money, join } = settings;
  const store = remoteStore(nodes!, { token: storeToken, tls: context.tls });
  const backend = new CoordinatorBackend(context, nodes!, store, join?.folder);
  closers.push(() => backend.close());
  const credentials = new CredentialDirectory(context);
  closers.push(() => credentials.close());
  const guard = adminGuard({ admin: token, gateway: gatewayWorkToken }, { credentials, clock: context.clock });
  services.push({ ...adminService(backend), guard, peers: ['admin', 'gateway'] });
  if (join !== undefined && context.tls !== undefined) {
    const { joinService } = await import('../join/join-service.ts');
    services.push(joinService({ ...context, tls: context.tls }, join));
  }
  const { countRowsIn } = await import('../coordinator/schedule-runner.ts');
  return startCoordinator(context, {
    nodes,
    scheduler,
    money,
    countStored: countStored(store.query, context.clock),
    countRows: countRowsIn(store.query, context),
  });
}
