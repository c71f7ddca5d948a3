import type { Command } from 'commander';
import { MillraceError } from '../../../../src/errors.ts';
import { answeredJob } from '../../answered-job.ts';
import type { CliContext } from '../../context.ts';

/** `none`: the limit is taken away. */
const NONE = 'none';

interface Options {
  dollars?: string;
  tokens?: string;
  trajectories?: string;
  wallTime?: string;
}

/** `millrace job set-budget`. */
export function register(job: Command, context: CliContext): void {
  job
    .command('set-budget')
    .description('change what a job may spend; a job that is paused because it spent all is then resumed by `job resume`')
    .argument('<id>', 'job')
    .option('--dollars <dollars>', 'US dollars, or none for no limit')
    .option('--tokens <count>', 'tokens of language models, or none')
    .option('--trajectories <count>', 'trajectories, evaluations included, or none')
    .option('--wall-time <time>', 'how long it may run, like 90m, 12h or 7d, or none')
    .action(async (jobId: string, options: Options) => {
      const { budget, paths } = await request(options);
      const answer = await context.withAdmin((admin) => admin.updateJobBudget({ jobId, budget, updateMask: { paths } }));
      const changed = answeredJob(answer.job);
      const [{ jobJson }, { budgetUseTable }] = await Promise.all([import('../../job-view.ts'), import('../../budget-view.ts')]);
      context.print(jobJson(changed), () => budgetUseTable(changed.budgets));
    });
}

async function request({ dollars, tokens, trajectories, wallTime }: Options) {
  const given = Object.entries({ micro_dollars: dollars, tokens, trajectories, wall_time: wallTime });
  const paths = given.flatMap(([path, value]) => (value === undefined ? [] : [path]));
  if (paths.length === 0) {
    const message = 'give at least one of --dollars, --tokens, --trajectories and --wall-time.';
    throw new MillraceError('invalid_argument', message, { field: '--dollars' });
  }
  const [{ microDollarsOf }, { parseAge }] = await Promise.all([
    import('../../money-option.ts'),
    import('../../../../src/config/age.ts'),
  ]);
  const limit = <T>(text: string | undefined, read: (text: string) => T): T | undefined =>
    text === undefined || text === NONE ? undefined : read(text);
  const budget = {
    microDollars: limit(dollars, (text) => microDollarsOf(text, '--dollars')),
    tokens: limit(tokens, (text) => count(text, '--tokens')),
    trajectories: limit(trajectories, (text) => count(text, '--trajectories')),
    wallTime: limit(wallTime, (text) => ({ seconds: BigInt(parseAge(text, '--wall-time')) })),
  };
  return { budget, paths };
}

function count(text: string, field: string): bigint {
  if (/^\d{1,15}$/.test(text)) return BigInt(text);
  throw new MillraceError('invalid_argument', `${field}: got "${text}", expected a whole number from 0, or none.`, { field });
}
