/** `npm run bench -- <scenario> [options]`: measures the system and says how it was measured. */
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { MillraceError } from '../src/errors.ts';
import type { BenchContext } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

/** The command line with a subcommand for each scenario; `finished` receives the exit code of the one that ran. */
export function benchProgram(context: BenchContext, finished: (code: number) => void): Command {
  const program = new Command('bench').description(
    'Measures Millrace. Every figure in docs/performance.md has its command here.',
  );
  program.exitOverride();
  for (const scenario of SCENARIOS) {
    const command = program.command(scenario.name).description(scenario.summary);
    scenario.configure(command);
    command.action(async () => finished(await scenario.run(command.opts(), context)));
  }
  return program;
}

async function main(args: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  let code = 0;
  const context: BenchContext = {
    print: (line) => console.log(line),
    note: (line) => console.error(line),
    signal: interrupted.signal,
  };
  try {
    await benchProgram(context, (finished) => (code = finished)).parseAsync(args, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode;
    if (interrupted.signal.aborted) return 130;
    const error = MillraceError.from(thrown);
    context.note(error.code === 'internal' && thrown instanceof Error ? (thrown.stack ?? error.message) : error.message);
    return 1;
  }
  return interrupted.signal.aborted ? 130 : code;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
