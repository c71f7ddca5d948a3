import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { Budget } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { CliContext } from '../context.ts';

const MONTH = ['--month <month>', 'calendar month (UTC), like 2026-11 (default: the present one)'] as const;

/** `millrace budget …`: what owners have spent, and may spend. */
export function register(program: Command, context: CliContext): void {
  const budget = program.command('budget').description('what the jobs of owners may spend in a month: list, show, set');

  budget
    .command('list')
    .description('budgets of all owners that have spent something, or have a limit of their own')
    .option(...MONTH)
    .action(async ({ month = '' }: { month?: string }) => {
      const { budgets } = await context.withAdmin((admin) => admin.listBudgets({ month }));
      const { budgetJson, budgetTable } = await import('../budget-view.ts');
      context.print(budgets.map(budgetJson), () => (budgets.length === 0 ? 'nobody has spent anything\n' : budgetTable(budgets)));
    });

  budget
    .command('show')
    .description('the budget of one owner, and what each job spent of it')
    .argument('<owner>', 'name of the owner')
    .option(...MONTH)
    .action(async (owner: string, { month = '' }: { month?: string }) => {
      const answer = await context.withAdmin((admin) => admin.getBudget({ owner, month }));
      await show(context, answer.budget);
    });

  budget
    .command('set')
    .description('set what the jobs of an owner may spend in a calendar month; paused jobs are then resumed by `job resume`')
    .argument('<owner>', 'name of the owner')
    .argument('<dollars>', 'US dollars a month, e.g. 250 or 12.50')
    .action(async (owner: string, dollars: string) => {
      const { microDollarsOf } = await import('../money-option.ts');
      const limitMicroDollars = microDollarsOf(dollars, '<dollars>');
      const answer = await context.withAdmin((admin) => admin.updateBudget({ owner, limitMicroDollars }));
      await show(context, answer.budget);
    });
}

async function show(context: CliContext, budget: Budget | undefined): Promise<void> {
  if (!budget) throw new MillraceError('internal', 'The server has answered without a budget; is it of another version?');
  const { budgetJson, describeBudget } = await import('../budget-view.ts');
  context.print(budgetJson(budget), () => describeBudget(budget));
}
