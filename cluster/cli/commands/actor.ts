import type { Command } from 'commander';
import type { CliContext } from '../context.ts';

/** `millrace actor list`: what runs inside the nodes. */
export function register(program: Command, context: CliContext): void {
  const actor = program.command('actor').description('the actors inside the nodes');
  actor
    .command('list')
    .description('every actor: state, messages, restarts, what it waits for, its last failure')
    .option('--node <id>', 'only the actors of this node')
    .action(async (options: { node?: string }) => {
      const { actors } = await context.withAdmin((admin) => admin.listActors({ nodeId: options.node ?? '' }));
      const [{ toJson }, { ActorSchema }, { table }] = await Promise.all([
        import('@bufbuild/protobuf'),
        import('../../../src/gen/millrace/v1/admin_pb.ts'),
        import('../table.ts'),
      ]);
      const rows = actors.map((entry) => [
        entry.address,
        entry.state,
        String(entry.mailboxDepth),
        String(entry.inFlight),
        String(entry.restarts),
        String(entry.messages),
        entry.waitingFor,
        entry.lastError,
      ]);
      context.print(
        actors.map((entry) => toJson(ActorSchema, entry, { alwaysEmitImplicit: true })),
        () =>
          table(['ACTOR', 'STATE', 'MAILBOX', 'IN FLIGHT', 'RESTARTS', 'MESSAGES', 'WAITING FOR', 'LAST ERROR'], rows, {
            right: [2, 3, 4, 5],
            maxCell: 80,
          }),
      );
    });
}
