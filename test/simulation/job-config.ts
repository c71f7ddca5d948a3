import { fileURLToPath } from 'node:url';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';

const FILE = fileURLToPath(new URL('../flows/simulated/job.yaml', import.meta.url));

/** Settings of the job of simulated runs. */
export function simulatedConfig(file = FILE): JobConfig {
  return loadJobConfig(file, {}).config;
}

/** The job in a line. */
export function describeJob({ name, rounds, rollout, policy }: JobConfig): string {
  return `${name}: ${rounds} rounds of ${rollout.groupsPerRound} groups of ${rollout.groupSize}, policy kind ${policy.kind}`;
}
