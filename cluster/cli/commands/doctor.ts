import type { Command } from 'commander';
import type { CliContext } from '../context.ts';

/** `millrace doctor`: what is durable and damaged. */
export function register(program: Command, context: CliContext): void {
  program
    .command('doctor')
    .description('look for durable state that is damaged, and say what to do; exit code 1 when there is some')
    .option('--remove <place>', 'remove one value or durable that is damaged; a copy of it is kept in the state folder')
    .option('--yes', 'do not ask: removing cannot be undone', false)
    .action(async ({ remove, yes }: { remove?: string; yes: boolean }) => {
      const { doctor, requestRemoval } = await import('../doctor.ts');
      await (remove === undefined ? doctor(context) : requestRemoval(remove, yes, context));
    });
}
