import { once } from 'node:events';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { EmbeddedFlags } from '../cluster-settings.ts';

/** `millrace up`: the embedded cluster, until Ctrl-C. */
export function register(parent: Command, context: CliContext, name = 'up'): void {
  parent
    .command(name)
    .description('run a cluster on this machine: nats-server, the store and one process per role')
    .option('--config <file>', 'settings of the cluster (YAML)')
    .option('--learners <n>', 'learner processes, or auto: one per GPU, or without GPUs one per core')
    .option('--rollouts <n>', 'rollout processes')
    .option('--parameter-servers <n>', 'parameter server processes')
    .option('--gateway-port <port>', 'port of the gateway (HTTP); off: no gateway (default: any free port)')
    .option(
      '--clickhouse-port <port>',
      "port of ClickHouse's HTTP interface; auto: 8123 or any free port; off: none (default: auto)",
    )
    .option(
      '--set <path=value>',
      'override a setting, e.g. ports.admin=7000; may be repeated',
      (value, before: string[] = []) => [...before, value],
    )
    .action(async (flags: EmbeddedFlags) => {
      const [{ clusterSettings }, { addressesOf, placesOf, startCluster, workbenchLine }, { sqlExample }] = await Promise.all([
        import('../cluster-settings.ts'),
        import('../embedded.ts'),
        import('../sql-access.ts'),
      ]);
      const cluster = await startCluster(context, clusterSettings(context, flags, flags.set));
      try {
        if (context.json) context.stdout.write(`${JSON.stringify(placesOf(cluster))}\n`);
        context.note(`${addressesOf(cluster)}; state in ${cluster.stateDir}; Ctrl-C stops it`);
        for (const line of [sqlExample(cluster), workbenchLine(cluster)]) if (line !== undefined) context.note(line);
        const failure = await Promise.race([cluster.failed, aborted(context.signal)]);
        if (failure) throw failure;
      } finally {
        context.note('stopping');
        await cluster.stop();
      }
    });
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
  return undefined;
}
