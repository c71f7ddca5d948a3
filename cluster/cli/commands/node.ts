import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { registerRun } from './node-run.ts';

/** `millrace node …`: the processes of a running cluster. */
export function register(program: Command, context: CliContext): void {
  const node = program.command('node').description('the processes of the cluster: list them, run one');
  registerRun(node, context);
  node
    .command('list')
    .description('every node: roles, memory, CPU, event loop delay')
    .action(async () => {
      const { nodes } = await context.withAdmin((admin) => admin.listNodes({}));
      const [{ toJson }, { NodeSchema }, { ago, byteSize, duration, figure }, { table }] = await Promise.all([
        import('@bufbuild/protobuf'),
        import('../../../src/gen/millrace/v1/admin_pb.ts'),
        import('../format.ts'),
        import('../table.ts'),
      ]);
      const now = Date.now();
      const rows = nodes.map((entry) => [
        entry.id,
        entry.roles.join(','),
        String(entry.pid),
        entry.address,
        ago(entry.startTime, now),
        ago(entry.heartbeatTime, now),
        byteSize(entry.rssBytes),
        byteSize(entry.peakRssBytes),
        duration(entry.cpuSeconds),
        `${figure(entry.eventLoopDelayMs)} ms`,
        Object.entries(entry.labels)
          .map(([name, value]) => `${name}=${value}`)
          .join(' '),
      ]);
      const header = ['NODE', 'ROLES', 'PID', 'ADDRESS', 'STARTED', 'HEARTBEAT', 'MEMORY', 'PEAK', 'CPU', 'LOOP DELAY', 'LABELS'];
      context.print(
        nodes.map((entry) => toJson(NodeSchema, entry, { alwaysEmitImplicit: true })),
        () => table(header, rows, { right: [2, 6, 7, 8, 9] }),
      );
    });
}
