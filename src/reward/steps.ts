import type { TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import { unpackRows } from '../records/pack.ts';
import { TABLES } from '../records/tables.ts';
import type { RewardStep } from './custom/protocol.ts';

const { columns } = TABLES.steps;
const at = (name: string): number => columns.indexOf(name);
const TRAJECTORY = at('trajectory_id');
const [TOOL, ITEMS, ARGUMENTS, RESULT, ERROR] = ['tool', 'items', 'arguments', 'result', 'error'].map(at) as [
  number,
  number,
  number,
  number,
  number,
];

/** The steps of every trajectory of a group, in index order, as custom reward functions see them: from the rows for the store. */
export function stepsOf(group: TrajectoryGroup): RewardStep[][] {
  const byTrajectory = new Map(group.trajectories.map(({ id, signals }) => [id, { steps: [] as RewardStep[], signals }]));
  const text = Buffer.from(unpackRows(group.stepRows)).toString();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const row = JSON.parse(line) as unknown[];
    const trajectory = byTrajectory.get(row[TRAJECTORY] as string);
    if (trajectory === undefined) continue;
    trajectory.steps.push({
      tool: row[TOOL] as string,
      items: row[ITEMS] as number[],
      arguments: row[ARGUMENTS] as string,
      result: row[RESULT] as string,
      error: Boolean(row[ERROR]),
      verified: trajectory.signals?.verified[trajectory.steps.length] ?? false,
    });
  }
  return group.trajectories.map(({ id }) => byTrajectory.get(id)!.steps);
}
