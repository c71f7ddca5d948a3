import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { describeJob } from './job-view.ts';
import { progressOf } from './progress.ts';

function ended(statistics: Record<string, number>) {
  return create(JobSchema, { id: 'a', state: JobState.SUCCEEDED, progress: { round: 20, roundsTotal: 20, statistics } });
}

describe('the last round of a job', () => {
  it('is left out where a restarted coordinator does not know it', () => {
    expect(progressOf(ended({}))).toMatchObject({ round: 20, reward: undefined, staleness: undefined });
    expect(describeJob(ended({}), 0)).not.toMatch(/reward|staleness/);
  });

  it('is shown where it is known, a reward of 0 as well', () => {
    expect(progressOf(ended({ loss: 0.5 }))).toMatchObject({ reward: 0, staleness: 0 });
    expect(describeJob(ended({ loss: 0.5 }), 0)).toMatch(/reward +0\.00/);
  });
});
