import { fileURLToPath } from 'node:url';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';

/** Configuration of the jobs of simulated runs. */
export const JOB_FILE = fileURLToPath(new URL('../flows/simulated/job.yaml', import.meta.url));

/** What the jobs of simulated runs set differently from their file, each by a name. */
const VARIANTS = {
  plain: [],
  synchronous: ['rollout.maxStaleness=0', 'rollout.groupsPerRound=3'],
  'stale and evaluated': ['rollout.maxStaleness=2', 'evaluation.every=1', 'checkpoint.keep=1'],
  'two epochs': ['rounds=5'],
  'synchronous and evaluated': ['rollout.maxStaleness=0', 'rollout.groupsPerRound=3', 'evaluation.every=1'],
} as const;

/** The jobs of simulated runs; each seed chooses one. */
export function simulatedConfigs(file = JOB_FILE): { name: string; config: JobConfig }[] {
  return Object.entries(VARIANTS).map(([name, overrides]) => {
    const { config } = loadJobConfig(file, { overrides });
    const { rounds, rollout } = config;
    return {
      name: `${name}: ${rounds} rounds of ${rollout.groupsPerRound} groups of ${rollout.groupSize}, η ${rollout.maxStaleness}`,
      config,
    };
  });
}
