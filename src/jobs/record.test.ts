import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../config/job.ts';
import { createJobRecord, markResumed, settle, transition, type JobRecord } from './record.ts';

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

  it('are refused with an id that is none', () => {
    expect(() => createJobRecord({ id: 'No Such', config, now: 1 })).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'id' }),
    );
  });

  it('carry the times of their transitions', () => {
    let record = transition(create(), 'RUNNING', { now: 2000 });
    expect(markResumed(record, 2500)).toMatchObject({ state: 'RUNNING', startedAt: 2000, resumedAt: [2500] });
    record = transition(record, 'PAUSED', { now: 3000 });
    record = transition(record, 'QUEUED', { now: 3500 });
    record = transition(record, 'RUNNING', { now: 4000, ticket: 7 });
    record = transition(record, 'FAILED', { now: 5000, error: 'the flow has no tasks' });
    expect(record).toMatchObject({
      startedAt: 2000,
      resumedAt: [4000],
      endedAt: 5000,
      error: 'the flow has no tasks',
      state: 'FAILED',
      ticket: 7,
    });
    expect(record.unsettled).toEqual(['queues', 'books']);
    expect(settle(record, 'queues')?.unsettled).toEqual(['books']);
    expect(settle(create(), 'queues')).toBeUndefined();
    const queued = transition({ ...record, unsettled: [] }, 'QUEUED', { now: 5500 });
    const resumed = transition(queued, 'RUNNING', { now: 6000 });
    expect(resumed).toMatchObject({ state: 'RUNNING', startedAt: 2000, resumedAt: [4000, 6000], cancelRequested: false });
    expect(resumed).not.toHaveProperty('endedAt');
    expect(resumed).not.toHaveProperty('error');
    const preempted = transition(resumed, 'QUEUED', { now: 6500, preemptedBy: 'urgent' });
    expect(preempted).toMatchObject({ state: 'QUEUED', preemptedBy: 'urgent', accepted: resumed.accepted });
    expect(transition(preempted, 'RUNNING', { now: 6600 })).not.toHaveProperty('preemptedBy');
    const cancelled = transition(resumed, 'CANCELLED', { now: 7000 });
    expect(() => transition(cancelled, 'RUNNING', { now: 8000 })).toThrow(
      expect.objectContaining({ code: 'failed_precondition' }),
    );
  });
});
