import { Argument, type Command } from 'commander';
import type { CliContext } from '../context.ts';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.ts';

/** `millrace completion`: what a shell needs to complete our command lines. */
export function register(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('print a script with which a shell completes commands, options and ids of jobs')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .action((shell: Shell) => {
      const script = completionScript(shell);
      context.print({ shell, script }, () => script);
    });
}
