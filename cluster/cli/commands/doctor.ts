import type { Command } from 'commander';
import { YES } from '../confirm.ts';
import type { CliContext } from '../context.ts';

/** `millrace doctor`: what is durable and damaged. */
export function register(parent: Command, context: CliContext, name = 'doctor'): void {
  parent
    .command(name)
    .description('check durable state for damage and print the fixes; exit code 1 if there is any')
    .option('--remove <place>', 'remove one damaged value or durable; a copy is kept in the state folder')
    .option('--yes', YES, false)
    .action(async ({ remove, yes }: { remove?: string; yes: boolean }) => {
      const { doctor, requestRemoval } = await import('../doctor.ts');
      await (remove === undefined ? doctor(context) : requestRemoval(remove, yes, context));
    });
}
