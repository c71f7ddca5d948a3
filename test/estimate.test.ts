import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { Estimate } from '../cluster/cli/estimate-figures.ts';
import { millraceToEnd } from './support/command.ts';

it('a job is estimated from a probe, without a cluster', async () => {
  const file = fileURLToPath(new URL('../docs/first-flow/job.yaml', import.meta.url));
  const probe = ['job', 'estimate', file, '--groups', '1', '--set', 'rollout.groupSize=4', '--set', 'rounds=5'];
  const { code, stdout } = await millraceToEnd(['-o', 'json', ...probe], { timeoutMs: 60_000 });
  expect(code).toBe(0);
  const found = JSON.parse(stdout) as Estimate;
  expect(found).toMatchObject({ costIsMetered: false, probe: { groups: 1, trajectories: 4, failed: 0 } });
  expect(found.trainingTrajectories % 20).toBe(0);
  expect(found.rolloutHours.expected).toBeGreaterThan(0);
  expect(found.learnerHours.expected).toBeGreaterThan(0);
  expect(found.diskBytes.high).toBeGreaterThanOrEqual(found.diskBytes.expected);
});
