import type { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { collectOption } from '../../repeated-option.ts';
import { OWNER, ownerFields, PRIORITY_HELP, type OwnerFlags } from '../../owner-options.ts';
import { FROM, weightsFrom } from '../../weights-from.ts';

/** `millrace job create`. */
export function register(job: Command, context: CliContext): void {
  job
    .command('create')
    .description('queue a job; prints its id')
    .argument('<job.yaml>', 'job file')
    .option('--set <path=value>', 'override a value of the file, e.g. rollout.groupSize=8; may be repeated', collectOption)
    .option('--id <id>', 'id of the job: lower-case letters, digits and "-" (default: made from its name)')
    .option('--data <folder or file>', 'task data, in place of that of the file')
    .option('--from <checkpoint or job>', FROM)
    .option('--owner <name>', OWNER)
    .option('--priority <number>', PRIORITY_HELP)
    .action(async (file: string, options: OwnerFlags & { set?: string[]; id?: string; data?: string; from?: string }) => {
      const owned = ownerFields(options, context.env);
      const { loadJobConfig } = await import('../../../../src/config/load.ts');
      const { config } = loadJobConfig(file, {
        env: context.env,
        overrides: options.set ?? [],
        flags: { data: options.data },
        cwd: context.cwd,
      });
      const created = await context.withAdmin(async (admin) => {
        const from = weightsFrom(options.from, context.cwd);
        const address = context.address ?? (context.env['MILLRACE_ADDRESS'] || undefined);
        const { isHere, uploadJob } = await import('../../upload-job.ts');
        // Another machine does not find the files that the job file names.
        const bundleDigest = address === undefined || isHere(address) ? '' : await uploadJob(admin, config);
        const request = { jobId: options.id ?? '', configJson: JSON.stringify(config), bundleDigest, from, ...owned };
        const { createJob } = await import('../../create-job.ts');
        return createJob(admin, request, context);
      });
      const { jobJson } = await import('../../job-view.ts');
      context.print(jobJson(created), () => `${created.id}\n`);
      if (!context.json) context.note(`queued; follow it with: millrace job watch ${created.id}`);
    });
}
