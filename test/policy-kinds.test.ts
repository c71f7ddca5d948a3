import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingReport } from '../cluster/report/report.ts';
import { runSerial } from '../cluster/serial/index.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { flowOutline } from '../src/flow/plan.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { policyKindConformance } from '../src/policy/conformance/suite.ts';
import banditFlow from './flows/bandit/flow.ts';
import { banditKind } from './flows/bandit/kind.ts';
import { millrace, processesGone } from './support/command.ts';
import { temporaryFolder } from './support/thermostat.ts';

const JOB = fileURLToPath(new URL('./flows/bandit/job.yaml', import.meta.url));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(async () => {
  await processesGone(folder.path, 10_000);
  await folder.remove();
});

policyKindConformance('a bandit', {
  kind: banditKind,
  flow: flowOutline(banditFlow),
  plans: [['red', 'green'], ['red', 'green', 'blue'], ['grey']].map((tools) => ({
    items: [],
    actions: tools.map((tool) => ({ tool })),
  })),
});

describe("a policy kind of a flow's module", () => {
  it('learns in serial mode, the same in two runs', async () => {
    const { config } = loadJobConfig(JOB, { overrides: ['evaluation.baselines=false'] });
    const [first, second] = [
      await runSerial(config, { stateDir: folder.path, learners: 2 }),
      await runSerial(config, { stateDir: folder.path, learners: 2 }),
    ];
    expect(first.job.error).toBe('');
    expect(first.job.state).toBe(JobState.SUCCEEDED);
    expect(first.weights).toHaveLength(4);
    expect(first.weights).toEqual(second.weights);
    const rows = [...first.store.rows('updates')].sort((a, b) => Number(a['version']) - Number(b['version']));
    const success = rows.map((row) => Number(row['success_mean']));
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(success.slice(-4)), success.join(' ')).toBeGreaterThan(mean(success.slice(0, 2)) + 0.3);
  });

  it('trains with a critic, too', async () => {
    const { config } = loadJobConfig(JOB, { overrides: ['evaluation.baselines=false', 'algorithm.name=ppo', 'rounds=2'] });
    const { job, weights } = await runSerial(config, { stateDir: folder.path });
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(weights).toHaveLength(5);
    expect(weights[4]).not.toBe(0);
  });

  it.each([
    [['policy.kind=bandid'], 'policy.kind', /no policy kind "bandid"; there are: planner, llama, bandit/],
    [['policy.spread=99'], 'policy.spread', /policy\.spread: .*10/],
    [['policy.hiden=3'], 'policy', /hiden/],
  ])('refuses %s', async (overrides, field, message) => {
    const { config } = loadJobConfig(JOB, { overrides });
    await expect(runSerial(config, { stateDir: folder.path })).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
      message: expect.stringMatching(message) as string,
    });
  });

  it('is trained by the whole cluster, and its checkpoint evaluated', async () => {
    const report = join(folder.path, 'report.json');
    const command = millrace(['--state', folder.path, 'train', JOB, '--learners', '1', '--rollouts', '1', '--report', report]);
    expect(await command.ended, command.stderr).toBe(0);
    const { heldOut, checkpoint } = JSON.parse(readFileSync(report, 'utf8')) as TrainingReport & { checkpoint: string };
    expect(heldOut).toMatchObject({ untrained: 0, trained: { success: 1 } });
    const evaluated = millrace(['eval', JOB, '--checkpoint', checkpoint]);
    expect(await evaluated.ended, evaluated.stderr).toBe(0);
    const summary = JSON.parse(evaluated.stdout.trim().split('\n').at(-1)!) as { summary: { success: number } };
    expect(summary.summary.success).toBe(1);
  }, 180_000);
});
