import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../config/job.ts';
import { createJobRecord, decodeJobRecord, encodeJobRecord, markResumed, settle, transition, type JobRecord } from './record.ts';

const config = jobConfigSchema.parse({ name: 'sums', flow: './flow.ts', seed: 3 });
const create = (): JobRecord => createJobRecord({ id: 'sums', config, now: 1000 });

describe('job records', () => {
  it('start QUEUED with nothing dispatched', () => {
    expect(create()).toMatchObject({
      state: 'QUEUED',
      createdAt: 1000,
      accepted: 0,
      evaluations: [],
      resumedAt: [],
      cancelRequested: false,
    });
  });

  it('survive the way through the bucket', () => {
    const record: JobRecord = {
      ...create(),
      accepted: 40,
      evaluations: [
        {
          name: 'trained',
          policyVersion: 5,
          tasks: 9,
          successes: 4,
          failed: 1,
          meanReward: 0.5,
          trajectories: 640,
          trainSeconds: 1.5,
          meanSteps: 3,
        },
      ],
    };
    expect(decodeJobRecord(encodeJobRecord(record))).toEqual(record);
  });

  it('share a configuration that was checked before, and no other', () => {
    const first = decodeJobRecord(encodeJobRecord(create()));
    const again = decodeJobRecord(encodeJobRecord({ ...create(), accepted: 7 }));
    expect(again).toEqual({ ...create(), accepted: 7 });
    expect(again.config).toBe(first.config);
    const other = { ...create(), config: { ...config, rounds: config.rounds + 1 } };
    expect(decodeJobRecord(encodeJobRecord(other))).toEqual(other);
    for (const wrong of [{ ...config, rounds: 0 }, undefined, null, 'x'])
      expect(() => decodeJobRecord(new TextEncoder().encode(JSON.stringify({ ...create(), config: wrong })))).toThrow(
        expect.objectContaining({ code: 'data_loss', field: expect.stringMatching(/^config/) as unknown }),
      );
    for (const wrong of ['null', '7', '[]']) expect(() => decodeJobRecord(new TextEncoder().encode(wrong))).toThrow(/job record/);
  });

  it('can be read when a newer node has added a field', () => {
    const newer = new TextEncoder().encode(JSON.stringify({ ...create(), budget: { dollars: 3 } }));
    expect(decodeJobRecord(newer)).toEqual(create());
  });

  it('are refused when damaged, naming the key and the field', () => {
    expect(() => decodeJobRecord(new TextEncoder().encode('{"id":'), 'jobs/sums')).toThrow(
      expect.objectContaining({ code: 'data_loss', message: expect.stringContaining('jobs/sums is not JSON') as unknown }),
    );
    const wrong = new TextEncoder().encode(JSON.stringify({ ...create(), accepted: -1 }));
    expect(() => decodeJobRecord(wrong)).toThrow(expect.objectContaining({ code: 'data_loss', field: 'accepted' }));
    expect(() => createJobRecord({ id: 'No Such', config, now: 1 })).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'id' }),
    );
  });

  it('carry the times of their transitions', () => {
    let record = transition(create(), 'RUNNING', { now: 2000 });
    expect(markResumed(record, 2500)).toMatchObject({ state: 'RUNNING', startedAt: 2000, resumedAt: [2500] });
    record = transition(record, 'PAUSED', { now: 3000 });
    record = transition(record, 'RUNNING', { now: 4000 });
    record = transition(record, 'FAILED', { now: 5000, error: 'the flow has no tasks' });
    expect(record).toMatchObject({
      startedAt: 2000,
      resumedAt: [4000],
      endedAt: 5000,
      error: 'the flow has no tasks',
      state: 'FAILED',
    });
    expect(record.unsettled).toEqual(['queues', 'books']);
    expect(settle(record, 'queues')?.unsettled).toEqual(['books']);
    expect(settle(create(), 'queues')).toBeUndefined();
    expect(() => transition(record, 'RUNNING', { now: 6000 })).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  });
});
