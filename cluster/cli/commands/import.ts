import { resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';
import type { ImportOptions } from '../import-trajectories.ts';

interface ImportFlags {
  job?: string;
  skipInvalid?: boolean;
  stepsFile?: string;
}

/** `millrace import`: interactions from elsewhere, or of an export, into the trajectory store. */
export function register(parent: Command, context: CliContext, name = 'import'): void {
  parent
    .command(name)
    .description('import files of millrace export, or interactions in the same format, into the store')
    .argument('<file>', 'JSON lines, or Parquet if its name ends in .parquet')
    .option('--job <id>', 'job of all imported rows; default: the job in each line')
    .option('--skip-invalid', 'import valid lines, and write invalid lines to FILE.rejected')
    .option('--steps-file <file>', 'with Parquet: the steps, written by export --format parquet --steps')
    .action(async (file: string, flags: ImportFlags) => {
      const path = resolve(context.cwd, file);
      const isParquet = path.endsWith('.parquet');
      if (flags.stepsFile !== undefined && !isParquet)
        throw new MillraceError('invalid_argument', '--steps-file goes with Parquet; JSON lines have their steps with them.', {
          field: '--steps-file',
        });
      if (flags.job !== undefined) (await import('../../admin/validation.ts')).checkJobId(flags.job);
      const options = { job: flags.job, skipInvalid: flags.skipInvalid ?? false, rejects: `${path}.rejected` };
      if (!isParquet) return importLines(context, path, options);
      const { withParquetLines } = await import('../parquet-lines.ts');
      const steps = flags.stepsFile === undefined ? undefined : resolve(context.cwd, flags.stepsFile);
      await withParquetLines({ trajectories: path, steps }, context.signal, (lines) => importLines(context, lines, options));
    });
}

async function importLines(context: CliContext, path: string, options: ImportOptions): Promise<void> {
  const [{ checkFile, importFile }, { withTransfer }] = await Promise.all([
    import('../import-trajectories.ts'),
    import('../transfer.ts'),
  ]);
  const { rejected, lines } = await checkFile(context, path, options);
  const imported =
    rejected === lines
      ? { trajectories: 0, steps: 0 }
      : await withTransfer(context, (transfer) => importFile(context, transfer, path, options));
  const rest = rejected > 0 ? `; ${rejected} wrong lines are in ${options.rejects}` : '';
  context.print(
    { ...imported, rejected },
    () => `imported ${imported.trajectories} trajectories with ${imported.steps} steps${rest}\n`,
  );
}
