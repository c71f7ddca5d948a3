import type { Argument, Command, Option } from 'commander';
import { QUERY_NAMES } from '../../../src/store/queries.ts';
import { STATES } from '../job-selection.ts';

/** Where the cursor is in a command line. */
export interface Place {
  /** The command of the words before. */
  command: Command;
  /** The option whose value is being written. */
  option?: Option;
  /** The argument that is being written; undefined where a subcommand is, or nothing more is taken. */
  argument?: Argument;
  /** What there is of the word. */
  typed: string;
}

/** Finds the place of the last word; the others come before it. Options of the program that are given are set on it. */
export function placeOf(program: Command, words: readonly string[]): Place {
  const typed = words.at(-1) ?? '';
  let command = program;
  let argumentsBefore = 0;
  let option: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) {
      if (program.options.includes(option)) program.setOptionValue(option.attributeName(), word);
      option = undefined;
    } else if (word.startsWith('-')) option = valued(command, program, word);
    else {
      const below = argumentsBefore === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      if (below !== undefined) command = below;
      else argumentsBefore += 1;
    }
  }
  if (option !== undefined) return { command, option, typed };
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[argumentsBefore] ?? (last?.variadic === true ? last : undefined);
  return { command, typed, ...(argument !== undefined && { argument }) };
}

/** The option of this name when its value is the next word. */
function valued(command: Command, program: Command, word: string): Option | undefined {
  const options = [...command.options, ...program.options];
  return options.find((option) => (option.long === word || option.short === word) && (option.required || option.optional));
}

/** Words that may stand at a place; `jobs` is asked for the ids of jobs when one of them may. None: any text, or a file. */
export async function candidatesAt(place: Place, program: Command, jobs: () => Promise<string[]>): Promise<string[]> {
  const { command, option, argument, typed } = place;
  if (option !== undefined) return valuesOf(option, typed, jobs);
  const words = (): string[] => {
    if (typed.startsWith('-'))
      return [
        '--help',
        ...[...command.options, ...program.options].flatMap(({ long, hidden }) => (hidden || !long ? [] : [long])),
      ];
    if (command.commands.length > 0)
      return command
        .createHelp()
        .visibleCommands(command)
        .map((each) => each.name());
    if (argument?.argChoices) return argument.argChoices;
    return command.name() === 'query' ? [...QUERY_NAMES] : [];
  };
  const isJob = !typed.startsWith('-') && argument !== undefined && /^jobs?(,|$)/.test(argument.description);
  return beginning(typed, isJob ? await jobs() : words());
}

async function valuesOf({ long, argChoices }: Option, typed: string, jobs: () => Promise<string[]>): Promise<string[]> {
  switch (long) {
    case '--job':
      return beginning(typed, await jobs());
    case '--status': {
      // Several, with commas.
      const before = typed.slice(0, typed.lastIndexOf(',') + 1);
      return beginning(
        typed,
        STATES.map((state) => before + state),
      );
    }
    case '--output':
      return beginning(typed, ['json', 'table']);
    case '--format':
      return beginning(typed, ['jsonl', 'parquet']);
    default:
      return beginning(typed, argChoices ?? []);
  }
}

function beginning(typed: string, words: readonly string[]): string[] {
  return [...new Set(words)].filter((word) => word.startsWith(typed));
}
