import type { Command } from 'commander';
import { answeredJob } from '../../answered-job.ts';
import type { CliContext } from '../../context.ts';
import { OWNER, ownerFields, PRIORITY_HELP, type OwnerFlags } from '../../owner-options.ts';
import { collectOption } from '../../repeated-option.ts';

/** Each checkpoint is read, and may be large. */
const READ_TIMEOUT_MS = 60_000;

/** `millrace job checkpoints` and `fork`. */
export function register(job: Command, context: CliContext): void {
  registerCheckpoints(job, context, 'checkpoints');
  registerFork(job, context);
}

/** The checkpoints of a job, as a command of that name. */
export function registerCheckpoints(parent: Command, context: CliContext, name: string): void {
  parent
    .command(name)
    .description('checkpoints of a job, each read and checked')
    .argument('<id>', 'job')
    .action(async (jobId: string) => {
      const { found, checkpoints } = await context.withAdmin(async (admin) => ({
        found: answeredJob((await admin.getJob({ jobId })).job),
        checkpoints: (await admin.listCheckpoints({ jobId }, { timeoutMs: READ_TIMEOUT_MS })).checkpoints,
      }));
      const { checkpointJson, checkpointTable } = await import('../../checkpoint-view.ts');
      const json = checkpoints.map((each) => checkpointJson(each, found, checkpoints));
      context.print(json, () => checkpointTable(checkpoints, found, Date.now()));
    });
}

function registerFork(job: Command, context: CliContext): void {
  job
    .command('fork')
    .description('go on with the training of a job from one of its checkpoints, as a new job; prints its id')
    .argument('<job[@version]>', 'job, from its newest checkpoint that is whole or from that of a version')
    .option('--set <path=value>', 'change a value of its configuration, e.g. rounds=500; may be repeated', collectOption)
    .option('--id <id>', 'id of the new job: lower-case letters, digits and "-" (default: made from its name)')
    .option('--owner <name>', OWNER)
    .option('--priority <number>', PRIORITY_HELP)
    .action(async (fork: string, options: OwnerFlags & { set?: string[]; id?: string }) => {
      const owned = ownerFields(options, context.env);
      const created = await context.withAdmin(async (admin) => {
        let configJson = '';
        if (options.set !== undefined) {
          const parent = answeredJob((await admin.getJob({ jobId: fork.replace(/@.*/, '') })).job);
          const { changedJobConfig } = await import('../../../../src/config/load.ts');
          configJson = JSON.stringify(changedJobConfig(parent.configJson, options.set, `configuration of ${parent.id}`));
        }
        const { createJob } = await import('../../create-job.ts');
        return createJob(admin, { jobId: options.id ?? '', configJson, fork, ...owned }, context);
      });
      const { jobJson } = await import('../../job-view.ts');
      context.print(jobJson(created), () => `${created.id}\n`);
      if (!context.json) context.note(`queued; it goes on from ${created.forkedFrom}: millrace job watch ${created.id}`);
    });
}
