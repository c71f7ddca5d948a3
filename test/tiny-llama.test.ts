/** A language model of a few thousand parameters (test/flows/colour-talk), through everything that a policy goes through. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { writeTinyModel } from '../src/base-model/testing.ts';
import type { JobConfig } from '../src/config/job.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { CALLS, COLOURS } from './flows/colour-talk/flow.ts';
import { mean, successCurve } from './support/success-curve.ts';
import { temporaryFolder } from './support/thermostat.ts';

const JOB = fileURLToPath(new URL('./flows/colour-talk/job.yaml', import.meta.url));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let base: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  base = await writeTinyModel(`${folder.path}/model`, { words: [...COLOURS, ...CALLS] });
});
afterAll(() => folder.remove());

describe('a small language model', () => {
  it('learns in serial mode to call the tool as it is told', async () => {
    const result = await runSerial(jobWith(), { stateDir: folder.path, learners: 2 });
    const { job, store } = result;
    expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
    const success = successCurve(result);
    expect(mean(success.slice(0, 3)), success.join(' ')).toBeLessThan(0.2);
    expect(mean(success.slice(-4)), success.join(' ')).toBeGreaterThan(0.5);
    const steps = store.rows('steps');
    expect(steps.every(({ decision }) => decision === 'generated')).toBe(true);
    // What was written is text in the rows.
    expect(steps.some(({ text }) => text === CALLS[0])).toBe(true);
  });

  it('has the same weights to the bit with one learner and with two', async () => {
    const config = jobWith('rounds=2', 'policy.train=adapter', 'policy.adapter.targets=["q","v","up"]', 'rollout.groupSize=8');
    const [one, two] = [
      await runSerial(config, { stateDir: folder.path, learners: 1 }),
      await runSerial(config, { stateDir: folder.path, learners: 2 }),
    ];
    expect([one.job.state, one.job.error]).toEqual([JobState.SUCCEEDED, '']);
    expect(one.store.rows('updates').some(({ trained }) => Number(trained) > 0)).toBe(true);
    expect(one.weights).toEqual(two.weights);
  });
});

function jobWith(...overrides: string[]): JobConfig {
  return loadJobConfig(JOB, { overrides: [`policy.base=${base}`, 'evaluation.baselines=false', ...overrides] }).config;
}
