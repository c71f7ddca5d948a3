import { describe, expect, it } from 'vitest';
import { jobConfigSchema, type JobConfigInput } from '../config/job.ts';
import { earlyStopAt, reasonToStop, roundsOf } from './early-stop.ts';
import { createJobRecord, type EvaluationRecord, type JobRecord } from './record.ts';

const measured = (policyVersion: number, successes: number, rest: Partial<EvaluationRecord> = {}): EvaluationRecord => ({
  ...{ name: 'trained', policyVersion, tasks: 100, successes, failed: 0, failures: {}, meanReward: 0, meanSteps: 1 },
  ...{ trajectories: 0, trainSeconds: 0, metrics: {}, types: {} },
  ...rest,
});

function record(evaluation: JobConfigInput['evaluation'], evaluations: EvaluationRecord[]): JobRecord {
  const config = jobConfigSchema.parse({ name: 'a', flow: 'flow.ts', rounds: 100, rollout: { maxStaleness: 1 }, evaluation });
  return { ...createJobRecord({ id: 'a', config, now: 1 }), evaluations };
}

const flat = [measured(10, 40), measured(20, 70), measured(30, 70), measured(40, 60)];

describe('earlyStopAt', () => {
  it('runs all rounds unless the job says otherwise', () => {
    expect(earlyStopAt(record({}, flat), 41)).toBeUndefined();
    expect(roundsOf(record({}, flat))).toBe(100);
  });

  it('stops after as many evaluations without gain as patience allows, once admitted requests are used', () => {
    expect(earlyStopAt(record({ patience: 3 }, flat), 41)).toBeUndefined();
    const stop = earlyStopAt(record({ patience: 2 }, flat), 41)!;
    expect(stop.round).toBe(43);
    expect(stop.reason).toMatch(
      /^it solved 70\.0 % of the validation tasks at version 20, and no more in 2 evaluations after it/,
    );
    expect(roundsOf({ ...record({}, flat), earlyStop: stop })).toBe(43);
  });

  it('stops once the target is reached', () => {
    expect(earlyStopAt(record({ target: 0.71 }, flat), 41)).toBeUndefined();
    expect(earlyStopAt(record({ target: 0.7 }, flat), 41)?.reason).toMatch(/70\.0 % .* version 30, .* 70\.0 %$/);
  });

  it('leaves a job alone that has stopped, measures another one, or is about to end', () => {
    const impatient = record({ patience: 1 }, flat);
    expect(earlyStopAt(impatient, 97)).toMatchObject({ round: 99 });
    expect(earlyStopAt(impatient, 98)).toBeUndefined();
    expect(earlyStopAt({ ...impatient, earlyStop: { round: 50, reason: '' } }, 41)).toBeUndefined();
    const evaluates = { job: 'b', version: 3, trajectories: 0, trainSeconds: 0 };
    expect(earlyStopAt({ ...impatient, evaluates }, 41)).toBeUndefined();
  });

  it('counts neither baselines nor, as better, an evaluation that is incomplete', () => {
    const evaluations = [measured(0, 99, { name: 'rule' }), measured(10, 50), measured(20, 60, { failed: 20 }), measured(30, 50)];
    expect(reasonToStop(record({ patience: 2 }, evaluations))).toMatch(/version 10, and no more in 2 evaluations/);
    expect(reasonToStop(record({ target: 0.9 }, evaluations))).toBeUndefined();
    expect(reasonToStop(record({ target: 0.1 }, [measured(10, 50, { failed: 50 })]))).toBeUndefined();
  });
});
