import type { Command } from 'commander';
import type { CliContext } from '../context.ts';

/** `millrace config`: what holds and where it comes from, and what there is to set. */
export function register(program: Command, context: CliContext): void {
  const config = program.command('config').description('settings');
  config
    .command('schema')
    .description('print the JSON Schema of job files, for editors')
    .action(async () => {
      const { jobJsonSchema } = await import('../../../src/config/json-schema.ts');
      context.stdout.write(`${JSON.stringify(jobJsonSchema(), null, 2)}\n`);
    });
  config
    .command('show')
    .description('print the settings of a job, or of the cluster if no job file is given, with their sources')
    .argument('[job.yaml]', 'job file')
    .option(
      '--set <path=value>',
      'override a value, e.g. rollout.groupSize=8; may be repeated',
      (value, before: string[] = []) => [...before, value],
    )
    .option('--config <file>', 'settings file of the cluster, if no job file is given')
    .action(async (file: string | undefined, options: { set?: string[]; config?: string }) => {
      const overrides = options.set ?? [];
      const { env, cwd } = context;
      const shown = file === undefined ? await clusterSettings() : await jobSettings(file);
      const { settingsText } = await import('../settings.ts');
      context.print(shown, () => settingsText(shown.config, shown.sources));

      async function jobSettings(path: string) {
        const { loadJobConfig } = await import('../../../src/config/load.ts');
        const { config: job, sources } = loadJobConfig(path, { env, overrides, cwd });
        return { config: job as Record<string, unknown>, sources };
      }

      async function clusterSettings() {
        const { loadClusterConfig, withoutSecrets } = await import('../../../src/config/cluster.ts');
        const { config: cluster, sources } = loadClusterConfig({
          env,
          overrides,
          cwd,
          flags: { stateDir: context.flags.state, tokenFile: context.flags.tokenFile },
          ...(options.config !== undefined && { file: options.config }),
        });
        return { config: withoutSecrets(cluster) as Record<string, unknown>, sources };
      }
    });
}
