import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { evaluationPlan } from '../../src/jobs/evaluation/plans.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import type { RunningEvaluations } from './evaluations.ts';
import { recordEvaluation, startEvaluations } from './job-evaluations.ts';
import { coordinatedJob } from './job.fixture.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

const result: EvaluationRecord = {
  name: 'random',
  policyVersion: 0,
  tasks: 10,
  successes: 4,
  failed: 0,
  meanReward: 0.4,
  trajectories: 0,
  trainSeconds: 0,
  meanSteps: 3,
  failures: {},
  metrics: {},
  types: {},
};

describe('evaluations of a job', () => {
  it('begin with how far training was at their version', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    const at = (version: number) =>
      create(WeightManifestSchema, { job: 'a', version, ledger: { trajectories: BigInt(10 * version) }, trainSeconds: version });
    job.machine.committed(at(5));
    vi.spyOn(context.weights, 'manifest').mockImplementation((_, version) => Promise.resolve(version === 4 ? at(4) : undefined));
    const start = vi.fn();
    const plans = [3, 4, 5].map((version) => evaluationPlan('trained', version));
    await run(startEvaluations(job, { start } as unknown as RunningEvaluations, { plans, tasks: { validation: [], test: [] } }));
    expect(start.mock.calls.map(([plan, , moment]) => [plan.key, moment])).toEqual([
      // Its manifest is gone.
      ['trained@3', { trajectories: 50, trainSeconds: 5 }],
      ['trained@4', { trajectories: 40, trainSeconds: 4 }],
      ['trained@5', { trajectories: 50, trainSeconds: 5 }],
    ]);
    await release();
  });

  it('are kept once, with a row and metrics', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    const report = vi.spyOn(context.notices, 'report');
    await run(recordEvaluation(job, result));
    await run(recordEvaluation(job, { ...result, successes: 5 }));
    expect(job.record.evaluations).toMatchObject([{ name: 'random', successes: 5 }]);
    expect(await context.metrics.text()).toContain('millrace_held_out_success{job="a",planner="random"} 0.5');
    expect(report).not.toHaveBeenCalled();
    await run(recordEvaluation(job, { ...result, name: 'rule', failed: 3, failures: { TOOL_TIMEOUT: 3 } }));
    expect(report).toHaveBeenCalledWith('a', expect.objectContaining({ code: 'EVALUATION_INCOMPLETE', subject: 'rule@0' }));
    await release();
  });
});
