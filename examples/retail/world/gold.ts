import { ToolError } from 'millrace';
import { callTool } from '../tools/index.ts';
import { Database, type Changes } from './database.ts';
import type { RetailTask } from './records.ts';
import type { World } from './world.ts';

/** One tool call and, when it failed, why. */
export interface ReplayedCall {
  name: string;
  error?: string;
}

/** Runs a task's gold calls one after the other on a fresh database. A failing call changes nothing, as for the flow. */
export function replayGold(world: World, actions: RetailTask['actions']): { changes: Changes; calls: ReplayedCall[] } {
  const database = new Database(world);
  const calls = actions.map((action): ReplayedCall => {
    try {
      callTool(action.name, action.arguments, database);
      return { name: action.name };
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      return { name: action.name, error: error.message };
    }
  });
  return { changes: database.changes(), calls };
}

/** The database a task should end with. Computed once per world and task. */
export function goldChanges(world: World, task: RetailTask): Changes {
  return world.once('gold', JSON.stringify(task.actions), () => replayGold(world, task.actions).changes);
}

/**
 * How much of a task's work is done, for reward shaping: the share of the records to be changed that are as they should be,
 * less half a record for each that was not to be changed. 0 for a task that changes nothing.
 */
export function progress(gold: Changes, changes: Changes): number {
  const wanted = Object.keys(gold);
  if (wanted.length === 0) return 0;
  const right = wanted.filter((key) => Object.hasOwn(changes, key) && changes[key] === gold[key]).length;
  const wrong = Object.keys(changes).filter((key) => !Object.hasOwn(gold, key)).length;
  return (right - 0.5 * wrong) / wanted.length;
}
