import type { Command } from 'commander';

/** A command that does something, with the words it is called by, e.g. "job list". */
export interface Leaf {
  path: string;
  command: Command;
}

/** All commands below one that have none below themselves. */
export function leavesOf(parent: Command, above = ''): Leaf[] {
  return parent.commands.flatMap((command) => {
    const path = above === '' ? command.name() : `${above} ${command.name()}`;
    return command.commands.length > 0 ? leavesOf(command, path) : [{ path, command }];
  });
}
