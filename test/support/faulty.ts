import { fileURLToPath } from 'node:url';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';

/** A job on tasks that go wrong in the ways named. */
export function faultyJob(kinds: readonly string[], overrides: readonly string[] = []): JobConfig {
  const file = fileURLToPath(new URL('../flows/faulty.yaml', import.meta.url));
  return loadJobConfig(file, { overrides: [`source={kinds: [${kinds.join(', ')}]}`, ...overrides] }).config;
}
