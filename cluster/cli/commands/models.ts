import type { Command } from 'commander';
import { EXIT } from '../errors.ts';
import type { CliContext } from '../context.ts';

/** `millrace models …`: language models that flows and workflows may call. */
export function register(program: Command, context: CliContext): void {
  const models = program.command('models').description('language models of a models file: check');

  models
    .command('check')
    .description('ask models a short question, and show what they answer; this costs a few tokens each')
    .argument('[model...]', 'models of the file (default: all)')
    .option('--models <file>', 'file of models and providers (default: MILLRACE_MODELS, else models.yaml)')
    .action(async (asked: string[], flags: { models?: string }) => {
      const [{ modelsOf }, { checkedCells, checkModels }, { table }] = await Promise.all([
        import('../models-file.ts'),
        import('../check-models.ts'),
        import('../table.ts'),
      ]);
      const opened = modelsOf(context, flags.models);
      const names = asked.length > 0 ? asked : opened.names;
      const checked = await checkModels(opened, names, context.signal);
      const head = ['MODEL', 'IS', 'ANSWER', 'TIME', 'TOKENS', 'COST'];
      context.print(checked, () => table(head, checked.map(checkedCells), { right: [3, 4, 5], maxCell: 160 }));
      if (checked.some(({ ok }) => !ok)) context.exitCode = EXIT.failure;
    });
}
