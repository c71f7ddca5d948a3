import type { SchedulerConfig } from '../../../src/config/scheduler.ts';
import { GROUPS_AT_ONCE } from '../../../src/protocol/durables.ts';
import type { NodeList } from '../../runtime/nodes.ts';

/** Jobs for each group that can be run at once: with more, a job would wait too long for its turn. */
const JOBS_PER_SLOT = 25;
/** Places at least, also while no rollout worker has reported. */
const MIN_PLACES = 100;

/** Groups that the rollout workers which are alive run at once. */
export function rolloutSlots(nodes: NodeList): number {
  // Those of older versions do not say.
  const slotsOf = ({ groups }: Readonly<Record<string, string>>): number => Number(groups) || GROUPS_AT_ONCE;
  return nodes.withRole('rollout').reduce((sum, { labels }) => sum + slotsOf(labels), 0);
}

/** Jobs that may run at the same time. */
export function placesOf({ maxRunning }: Pick<SchedulerConfig, 'maxRunning'>, nodes: NodeList): number {
  return maxRunning === 'auto' ? Math.max(MIN_PLACES, JOBS_PER_SLOT * rolloutSlots(nodes)) : maxRunning;
}
