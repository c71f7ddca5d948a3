import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';

/** The smallest job there is: the flow of docs/first-flow, a small network, a few rounds. */
export function thermostatJob(overrides: readonly string[] = []): JobConfig {
  const file = fileURLToPath(new URL('../../docs/first-flow/job.yaml', import.meta.url));
  return loadJobConfig(file, { overrides: ['policy.hidden=16', ...overrides] }).config;
}

const COMFORT = [
  { name: 'outcome', weight: 1 },
  { name: 'potential', weight: 0.1, gamma: 0.9 },
  { name: 'comfort', weight: 0.5 },
];

/**
 * As {@link thermostatJob}, with rewards that differ within nearly every group. A handful of small groups of the plain one may all have equal
 * rewards, and a job that finds nothing to learn fails.
 */
export function unequalThermostatJob(overrides: readonly string[] = []): JobConfig {
  const flow = fileURLToPath(new URL('../flows/shaped.ts', import.meta.url));
  return { ...thermostatJob([`reward.components=${JSON.stringify(COMFORT)}`, 'reward.signal=reward', ...overrides]), flow };
}

/** A folder of its own for a test, and the function that removes it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
