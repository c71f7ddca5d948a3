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

/** A folder of its own for a test, and the function that removes it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
