import { type Command, InvalidArgumentError } from 'commander';
import type { TrialsOptions } from './trials.ts';

/** Options that every scenario of trials has. */
export interface TrialTableOptions {
  seeds: number;
  rounds?: number;
  set: string[];
  json?: string;
  keep?: boolean;
  parallel: number;
  document: boolean;
}

/** Adds {@link TrialTableOptions} to a command. */
export function trialOptions(command: Command, defaults: { seeds: number; document?: string; rounds?: boolean }): Command {
  if (defaults.rounds !== false) command.option('--rounds <n>', 'rounds of each trial in place of the table’s own', wholeNumber);
  if (defaults.document !== undefined) command.option('--document', `write the table into ${defaults.document}`, false);
  return command
    .option('--seeds <n>', 'seeds of each row: 1 to n', wholeNumber, defaults.seeds)
    .option('--set <path=value>', 'override a value of the job in every trial; may be repeated', append, [])
    .option('--json <file>', 'also write every trial to this file, after each one')
    .option('--keep', 'take trials of the same setup from the --json file in place of running them again')
    .option('--parallel <n>', 'trials at a time, each a process with one busy core', wholeNumber, 2);
}

/** How trials are run, of the parsed options. */
export function trialsOptions({ parallel, json, keep }: TrialTableOptions): TrialsOptions {
  return { parallel, json, keep };
}

/** `seed=1` to `seed=n`. */
export function seedsUpTo(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `seed=${i + 1}`);
}

/** The overrides that the options add, after those of the table. */
export function addedOverrides({ rounds, set }: Pick<TrialTableOptions, 'set'> & { rounds?: number | undefined }): string[] {
  return [...(rounds === undefined ? [] : [`rounds=${rounds}`]), ...set];
}

/** A list of names separated by commas, each of them known. */
export function namesOf<T extends string>(text: string | undefined, known: readonly T[]): T[] {
  if (text === undefined) return [...known];
  return text.split(',').map((given) => {
    const name = known.find((candidate) => candidate === given.trim());
    if (name === undefined) throw new InvalidArgumentError(`there is no "${given}"; choose from ${known.join(', ')}`);
    return name;
  });
}

/** A positive integer, for commander. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0');
  return value;
}

function append(value: string, before: string[]): string[] {
  return [...before, value];
}
