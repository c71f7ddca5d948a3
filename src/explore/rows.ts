import type { ExplorationRow } from '../records/tables.ts';
import { bounds, posteriorMean } from './beta.ts';
import { armsOf, tasksOf, type ExplorationState } from './state.ts';

/** The rows of a state, for people to ask about. */
export function explorationRows(
  state: ExplorationState,
  { job, tools, z, at }: { job: string; tools: readonly string[]; z: number; at: number },
): ExplorationRow[] {
  const { version } = state;
  const row = (more: Omit<ExplorationRow, 'job' | 'version' | 'at'>): ExplorationRow => ({ job, version, at, ...more });
  const rows: ExplorationRow[] = [];
  for (const { bucket, tool: index, arm } of armsOf(state)) {
    const tool = tools[index] ?? `tool ${index}`;
    const [lower, upper] = bounds(arm, z);
    rows.push(row({ kind: 'tool', bucket, tool, task: '', n: arm.good + arm.bad, mean: posteriorMean(arm), lower, upper }));
    const { value, visits } = arm;
    rows.push(row({ kind: 'value', bucket, tool, task: '', n: visits, mean: value, lower: value, upper: value }));
  }
  for (const { id, record } of tasksOf(state)) {
    const [lower, upper] = bounds(record, z);
    const n = record.good + record.bad;
    rows.push(row({ kind: 'task', bucket: 0, tool: '', task: id, n, mean: posteriorMean(record), lower, upper }));
  }
  const { temperature } = state;
  rows.push(
    row({ kind: 'temperature', bucket: 0, tool: '', task: '', n: 1, mean: temperature, lower: temperature, upper: temperature }),
  );
  return rows;
}
