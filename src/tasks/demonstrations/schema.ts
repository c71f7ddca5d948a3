import { z } from 'zod';
import type { Tool } from '../../flow/define.ts';
import { conversationLine, type Demonstration } from './line.ts';
import { readTurns } from './turns.ts';

/** Schema of a line: `{ messages, tools?, id?, task? }`. What is wrong with it is said with its place. */
export function demonstrationSchema(tools: Readonly<Record<string, Tool<any, any, any>>>): z.ZodType<Demonstration> {
  return conversationLine.transform((given, context): Demonstration => {
    let isWrong = false;
    const wrong = (path: PropertyKey[], problem: string): void => {
      isWrong = true;
      context.addIssue({ code: 'custom', path, message: problem, input: given });
    };
    const known = Object.keys(tools).join(', ') || 'none';
    for (const [i, { function: described }] of (given.tools ?? []).entries())
      if (!Object.hasOwn(tools, described.name))
        wrong(['tools', i, 'function', 'name'], `the agent has no such tool; its tools: ${known}`);
    const { before, turns } = readTurns(given.messages, tools, wrong);
    return isWrong ? z.NEVER : { id: given.id, task: given.task ?? given.id, before, turns };
  }) as unknown as z.ZodType<Demonstration>;
}
