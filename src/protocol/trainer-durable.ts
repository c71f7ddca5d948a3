import type { ConsumeOptions } from '../bus/bus.ts';
import type { JobConfig } from '../config/job.ts';

/** Durable of a job's trainer on SCORED, made before the first request is sent. */
export function trainerDurable(job: string, config: JobConfig): ConsumeOptions {
  // All groups of η + 1 rounds may be held unacknowledged until their round commits, and as many more may be on the way.
  const held = 2 * (config.rollout.maxStaleness + 2) * config.rollout.groupsPerRound + 64;
  return {
    stream: 'SCORED',
    durable: `trainer-${job}`,
    filter: `scored.${job}.train`,
    maxInFlight: held,
    maxAckPending: held,
    maxDeliver: -1,
  };
}
