import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';
import { EXIT, reportError } from '../errors.ts';
import { collectOption } from '../repeated-option.ts';
import { wholeNumber } from '../whole-number.ts';

interface RunFlags {
  roles: string;
  id?: string;
  config?: string;
  set?: string[];
  drainTimeout: string;
}

/** Descriptor of standard output. */
const STDOUT = 1;
/** What the process gets to end by itself, in ms. */
const LAST_MS = 1_000;

/** `millrace node run`, and `millrace node` with its options: one node of a cluster that spans hosts, in this process. */
export function registerRun(node: Command, context: CliContext): void {
  node
    .command('run', { isDefault: true })
    .description('run one node of a cluster that spans hosts in this process, until SIGTERM or Ctrl-C; logs are JSON on stdout')
    .requiredOption('--roles <role,…>', 'coordinator, parameter-server, learner, rollout, reward, store or gateway')
    .option('--id <name>', 'unique in the cluster: letters, digits, "_" and "-" (default: the roles and the name of the host)')
    .option('--config <file>', 'settings of the cluster (YAML), the same as of millrace up; nats.url is required')
    .option('--set <path=value>', 'override a setting, e.g. network.bind=10.0.0.7; may be repeated', collectOption)
    .option('--drain-timeout <seconds>', 'how long finishing what is in hand may take after SIGTERM', '20')
    .addHelpText('after', '\nExit codes: 0 drained, 1 failed (start it again), 2 wrong usage or settings.')
    .action(async (flags: RunFlags) => {
      try {
        await run(context, flags);
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        const isWrong = error.code === 'invalid_argument' || error.code === 'not_found';
        context.exitCode = isWrong ? EXIT.usage : EXIT.failure;
        reportError(error, context.stderr, { env: context.env, json: context.json, advice: false });
      }
    });
}

async function run(context: CliContext, { roles, id, config: file, set, drainTimeout }: RunFlags): Promise<void> {
  const [{ clusterNode, rolesIn }, { clusterSettings, configuredCredentials }] = await Promise.all([
    import('../../node/cluster-node.ts'),
    import('../cluster-settings.ts'),
  ]);
  const names = rolesIn(roles, '--roles');
  const drainMs = wholeNumber(drainTimeout, '--drain-timeout', 1, 3600) * 1000;
  const config = clusterSettings(context, file === undefined ? {} : { config: file }, set);
  const node = await clusterNode(config, { roles: names, id, given: configuredCredentials(config, context.cwd) });
  const [{ runNode }, { createLogger }, { withoutClusterSettings }] = await Promise.all([
    import('../../node/run.ts'),
    import('../../../src/telemetry/log.ts'),
    import('../../infra/node-environment.ts'),
  ]);
  // What a flow starts need not know the secrets of the settings.
  const kept = withoutClusterSettings(context.env);
  for (const name of Object.keys(context.env)) if (!(name in kept)) delete context.env[name];
  const log = createLogger({
    name: 'millrace',
    node: node.settings.id,
    role: names.join('+'),
    level: config.logLevel,
    file: STDOUT,
  });
  // The code of flows gets another one.
  const exit = process.exit.bind(process);
  try {
    await runNode({ ...node, log, signal: context.signal, drainMs });
  } finally {
    // A flow may have left something that would keep the process.
    setTimeout(() => exit(process.exitCode), LAST_MS).unref();
  }
}
