/** A policy kind that writes its calls token by token (test/flows/speller), through everything that a policy goes through. */
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
import flow from './flows/speller/flow.ts';
import { spellerKind } from './flows/speller/kind.ts';
import { WRITTEN } from './flows/speller/vocabulary.ts';
import { millrace, processesGone } from './support/command.ts';
import { mean, successCurve } from './support/success-curve.ts';
import { temporaryFolder } from './support/thermostat.ts';

const JOB = fileURLToPath(new URL('./flows/speller/job.yaml', import.meta.url));
const QUIET = 'evaluation.baselines=false';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(async () => {
  await processesGone(folder.path, 10_000);
  await folder.remove();
});

policyKindConformance('a speller', {
  kind: spellerKind,
  flow: flowOutline(flow),
  plans: ['', 'red', 'green', 'blue'].map((text) => ({ text, items: [], actions: [{ tool: 'look' }, { tool: 'pick' }] })),
});

describe('a policy that writes', () => {
  it('learns in serial mode to look before it answers, the same in two runs', async () => {
    const { config } = loadJobConfig(JOB, { overrides: [QUIET] });
    const [first, second] = [
      await runSerial(config, { stateDir: folder.path, learners: 2 }),
      await runSerial(config, { stateDir: folder.path, learners: 2 }),
    ];
    expect(first.job.error).toBe('');
    expect(first.job.state).toBe(JobState.SUCCEEDED);
    expect(first.weights).toEqual(second.weights);
    const success = successCurve(first);
    expect(mean(success.slice(0, 3)), success.join(' ')).toBeLessThan(0.4);
    expect(mean(success.slice(-4)), success.join(' ')).toBeGreaterThan(0.9);
    const steps = first.store.rows('steps');
    const mistakes = new Set(steps.map(({ mistake }) => mistake));
    expect([...mistakes].sort()).toEqual(['', 'bad_arguments', 'cut_off', 'no_call']);
    for (const { text, tokens, tokens_out: count } of steps) {
      expect((tokens as number[]).map((token) => WRITTEN[token]).join('')).toBe(text);
      expect(count).toBe((tokens as number[]).length);
    }
    // Not a single mistake was a failure.
    expect(first.store.rows('trajectories').every(({ valid }) => valid === true)).toBe(true);
  });

  it('learns from its successes alone', async () => {
    const { config } = loadJobConfig(JOB, {
      overrides: [QUIET, 'algorithm.name=rejection', 'algorithm.epochs=3', 'algorithm.miniBatches=2'],
    });
    const result = await runSerial(config, { stateDir: folder.path });
    expect([result.job.state, result.job.error]).toEqual([JobState.SUCCEEDED, '']);
    const success = successCurve(result);
    expect(mean(success.slice(0, 3)), success.join(' ')).toBeLessThan(0.4);
    expect(mean(success.slice(-4)), success.join(' ')).toBeGreaterThan(0.9);
  });

  it.each([
    ['ppo, with a critic', ['algorithm.name=ppo']],
    ['gspo, over whole decisions', ['algorithm.name=gspo']],
    ['dapo, with several passes', ['algorithm.name=dapo', 'rollout.maxStaleness=0']],
    ['loops that are avoided', ['exploration.loops=mask', 'exploration.statistics=true', 'exploration.pruning.enabled=true']],
  ])('trains with %s', async (_, overrides) => {
    const { config } = loadJobConfig(JOB, { overrides: [QUIET, 'rounds=3', ...overrides] });
    const { job, weights, store } = await runSerial(config, { stateDir: folder.path });
    expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(store.rows('updates').some(({ trained }) => Number(trained) > 0)).toBe(true);
  });

  it('is refused exploration that mixes probabilities of actions', async () => {
    const { config } = loadJobConfig(JOB, { overrides: ['exploration.thompson.mix=0.2'] });
    await expect(runSerial(config, { stateDir: folder.path })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'exploration.thompson.mix',
    });
  });

  it('is trained by the whole cluster, stored and evaluated', async () => {
    const report = join(folder.path, 'report.json');
    const command = millrace(['--state', folder.path, 'train', JOB, '--learners', '1', '--rollouts', '1', '--report', report]);
    expect(await command.ended, command.stderr).toBe(0);
    const { heldOut, checkpoint } = JSON.parse(readFileSync(report, 'utf8')) as TrainingReport & { checkpoint: string };
    expect(heldOut).toMatchObject({ trained: { success: 1 } });
    const sql =
      `SELECT count() > 500 AS many, countIf(decision != 'generated') AS choices, min(length(tokens) = tokens_out) AS whole,` +
      ` min(if(step = 0, length(prompt) = tokens_in, length(prompt) = 1)) AS grows FROM steps WHERE evaluation = '' OR evaluation LIKE 'trained%'`;
    const asked = millrace(['--state', folder.path, 'sql', sql, '--json']);
    expect(await asked.ended, asked.stderr).toBe(0);
    expect(JSON.parse(asked.stdout.trim().split('\n')[0]!)).toMatchObject({ many: 1, choices: 0, whole: 1, grows: 1 });
    const evaluated = millrace(['eval', JOB, '--checkpoint', checkpoint]);
    expect(await evaluated.ended, evaluated.stderr).toBe(0);
    const summary = JSON.parse(evaluated.stdout.trim().split('\n').at(-1)!) as { summary: { success: number } };
    expect(summary.summary.success).toBe(1);
  }, 240_000);
});
