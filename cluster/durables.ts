import type { ConsumeOptions } from '../src/bus/bus.ts';
import { WRITER_EVENTS, WRITER_SCORED } from '../src/store/writer.ts';

/** What tells a durable: its stream, name and filter. */
type Durable = Pick<ConsumeOptions, 'stream' | 'durable' | 'filter'>;

/** Requests, worked off by whichever rollout worker is free. */
export const ROLLOUT_DURABLE: Durable = { stream: 'ROLLOUTS', durable: 'rollout', filter: 'rollout.>' };
/** Groups, worked off by whichever reward worker is free. */
export const REWARD_DURABLE: Durable = { stream: 'GROUPS', durable: 'reward', filter: 'group.>' };
const LETTERS_DURABLE: Durable = { stream: 'DLQ', durable: 'dead-letters', filter: 'dlq.>' };

/** The durables of the cluster; each job has two more on SCORED. */
export const SHARED_DURABLES: readonly Durable[] = [
  ROLLOUT_DURABLE,
  REWARD_DURABLE,
  WRITER_SCORED,
  WRITER_EVENTS,
  LETTERS_DURABLE,
];
