import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';
import type { FirstPlans } from '../inputs.ts';

interface ExportFlags {
  format: string;
  out: string;
  steps?: boolean;
  resume?: boolean;
  inputs?: string;
  job?: string;
  task?: string;
  purpose?: string;
  success?: string;
  fromVersion?: string;
  toVersion?: string;
  since?: string;
  until?: string;
  where?: string;
}

/** `millrace export`: trajectories as files for other tools. */
export function register(program: Command, context: CliContext): void {
  program
    .command('export')
    .description('write trajectories as JSON lines or Parquet')
    .option('--format <format>', 'jsonl (one interaction a line) or parquet (the rows of the table)', 'jsonl')
    .option('--out <file>', 'file to write; "-" is the standard output, for jsonl', '-')
    .option('--steps', 'one line or row a step instead of one a trajectory')
    .option('--inputs <job.yaml>', 'fill in what the planner saw first of each task, from the flow and the tasks of this job')
    .option('--resume', 'go on with an export to the same file that was interrupted')
    .option('--job <id>', 'of one job')
    .option('--task <id>', 'of one task')
    .option('--purpose <purpose>', 'train or evaluate')
    .option('--success <boolean>', 'true or false')
    .option('--from-version <version>', 'of this policy version or a later one')
    .option('--to-version <version>', 'of this policy version or an earlier one')
    .option('--since <time>', 'flows that began at this time (ISO 8601) or later')
    .option('--until <time>', 'flows that began before this time')
    .option('--where <condition>', 'SQL condition over the columns of table trajectories, e.g. "reward > 0 AND steps < 10"')
    .action(async (flags: ExportFlags) => {
      const [{ withTransfer }, { exportTrajectories }, { exportInit }, { bytes, duration }] = await Promise.all([
        import('../transfer.ts'),
        import('../export-trajectories.ts'),
        import('../export-request.ts'),
        import('../format.ts'),
      ]);
      const request = exportInit(flags);
      if (flags.inputs !== undefined && (flags.format === 'parquet' || flags.out === '-'))
        throw new MillraceError('invalid_argument', '--inputs goes into JSON lines in a file: give --out FILE.', {
          field: '--inputs',
        });
      const plans = flags.inputs === undefined ? undefined : await plansOf(context, flags.inputs);
      const startedAt = performance.now();
      const note = (done: number, size: number, where: string): void => {
        const what = flags.format === 'parquet' ? '' : `${done} trajectories, `;
        context.note(`${what}${bytes(size)} in ${duration((performance.now() - startedAt) / 1000)}${where}`);
      };
      if (flags.out === '-') {
        if (flags.format === 'parquet')
          throw new MillraceError('invalid_argument', 'Parquet goes to a file: give --out FILE.', { field: '--out' });
        if (flags.resume)
          throw new MillraceError('invalid_argument', '--resume goes on with a file: give --out FILE.', { field: '--resume' });
        const sink = stdoutSink(context);
        const exported = await withTransfer(context, (transfer) => exportTrajectories(context, transfer, request, sink));
        note(exported.done, exported.bytes, '');
        return;
      }
      const { PartialFile } = await import('../partial-file.ts');
      const path = resolve(context.cwd, flags.out);
      const { resume, out: _, ...same } = flags;
      const { inputs } = flags;
      const of = JSON.stringify(same, Object.keys(same).sort());
      const file = resume ? PartialFile.resume(path, of) : PartialFile.create(path, of);
      try {
        const exported = await withTransfer(context, (transfer) => exportTrajectories(context, transfer, request, file));
        if (plans) {
          const { fillInputs } = await import('../inputs.ts');
          const without = await fillInputs(file.partial, `${file.partial}.filled`, plans);
          if (without > 0) context.note(`${without} lines are without input: ${inputs ?? ''} does not have their tasks`);
          file.finish(`${file.partial}.filled`);
        } else file.finish();
        note(exported.done, file.bytes, ` in ${flags.out}`);
      } catch (error) {
        file.leave();
        if (file.cursor !== '') context.note(`what has come is in ${flags.out}.partial; --resume goes on from there`);
        throw error;
      }
    });
}

async function plansOf({ cwd, env }: CliContext, job: string): Promise<FirstPlans> {
  const [{ loadJobConfig }, { firstPlans }] = await Promise.all([import('../../../src/config/load.ts'), import('../inputs.ts')]);
  return firstPlans(loadJobConfig(job, { cwd, env }).config);
}

/** Waits where the reader of the standard output is slow. */
function stdoutSink({ stdout, signal }: CliContext): { cursor: string; write(data: Uint8Array, cursor: string): Promise<void> } {
  // A chunk may end within a character.
  const decoder = new TextDecoder();
  return {
    cursor: '',
    async write(data, cursor) {
      const full = stdout.write(decoder.decode(data, { stream: true })) === false;
      this.cursor = cursor;
      if (full && 'once' in stdout) {
        await once(stdout as NodeJS.WriteStream, 'drain', { signal });
      }
    },
  };
}
