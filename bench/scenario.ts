import type { Command } from 'commander';

/** What a scenario may use of its surroundings. */
export interface BenchContext {
  /** Prints a line of the result to standard output. */
  print(line: string): void;
  /** Prints a line about progress, or why something was left out, to standard error. */
  note(line: string): void;
  /** Aborted when the user interrupts; scenarios end their child processes then. */
  signal: AbortSignal;
}

/** One measurement: `npm run bench -- <name> [options]`. */
export interface Scenario {
  /** Name on the command line. */
  name: string;
  /** One line of help. */
  summary: string;
  /** Adds the scenario's own options to its command. */
  configure(command: Command): void;
  /** Measures and prints; returns the exit code. `options` are the parsed options of the command, by commander's names. */
  run(options: Record<string, unknown>, context: BenchContext): Promise<number>;
}
