/** Policies that are shown how it is done by the rule of their flow (`algorithm.name: sft`). */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { writeTinyModel } from '../src/base-model/testing.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { CALLS, COLOURS } from './flows/colour-talk/flow.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

const COLOUR_TALK = fileURLToPath(new URL('./flows/colour-talk/job.yaml', import.meta.url));
const SFT = ['algorithm.name=sft', 'rollout.groupSize=1', 'evaluation.every=0'];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(() => folder.remove());

/** Success on the held-out tasks, by evaluation. */
function measured({ job }: SerialResult): Record<string, number> {
  expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
  return Object.fromEntries(job.evaluations.map(({ name, successes, tasks }) => [name, successes / tasks]));
}

describe('imitation of a rule', () => {
  it('teaches a planner, and the rows say who acted', async () => {
    const config = thermostatJob([...SFT, 'rounds=30', 'rollout.groupsPerRound=16', 'optimizer.learningRate=0.02']);
    const result = await runSerial(config, { stateDir: folder.path, learners: 2 });
    const { untrained, trained, rule } = measured(result);
    expect(trained).toBeGreaterThan(untrained! + 0.3);
    expect(trained).toBeGreaterThan(0.8 * rule!);
    const rows = result.store.rows('trajectories').filter(({ purpose }) => purpose === 'train');
    expect(new Set(rows.map(({ agent }) => agent))).toEqual(new Set(['rule']));
  });

  it('teaches a language model to call tools, in its own tokens', async () => {
    const base = await writeTinyModel(`${folder.path}/model`, { words: [...COLOURS, ...CALLS] });
    const overrides = [`policy.base=${base}`, ...SFT, 'rounds=12', 'rollout.groupsPerRound=12'];
    const result = await runSerial(loadJobConfig(COLOUR_TALK, { overrides }).config, { stateDir: folder.path });
    const { untrained, trained } = measured(result);
    expect(untrained).toBeLessThan(0.5);
    expect(trained).toBe(1);
    const steps = result.store.rows('steps').filter(({ purpose }) => purpose === 'train');
    expect(steps.map(({ decision, text, mistake }) => [decision, CALLS.includes(String(text)), mistake])).toEqual(
      steps.map(() => ['generated', true, '']),
    );
  });

  it('needs a model whose tokens can say what the rule says', async () => {
    const base = await writeTinyModel(`${folder.path}/other`, { words: [...COLOURS, CALLS[0]!] });
    const overrides = [`policy.base=${base}`, ...SFT, 'rounds=2', 'evaluation.baselines=false'];
    const { job, store } = await runSerial(loadJobConfig(COLOUR_TALK, { overrides }).config, { stateDir: folder.path });
    expect(job.state).toBe(JobState.SUCCEEDED);
    const failed = store.rows('trajectories').filter(({ valid }) => valid === false);
    expect(String(failed[0]!['failure_message'])).toMatch(/said what the policy cannot write: the model's tokens make/);
  });

  it('is refused where there is no rule, and groups of one elsewhere', async () => {
    const base = await writeTinyModel(`${folder.path}/model`, { words: [...COLOURS, ...CALLS] });
    const { config } = loadJobConfig(COLOUR_TALK, { overrides: [`policy.base=${base}`, ...SFT] });
    const flow = fileURLToPath(new URL('./flows/speller/flow.ts', import.meta.url));
    await expect(
      runSerial({ ...config, flow, policy: { kind: 'planner' } as never }, { stateDir: folder.path }),
    ).rejects.toMatchObject({ code: 'invalid_argument', field: 'algorithm.name' });
    expect(() => thermostatJob(['rollout.groupSize=1'])).toThrow(/rollout\.groupSize: got 1, expected at least 2, since grpo/);
  });
});
