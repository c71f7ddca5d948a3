import { describe, expect, it } from 'vitest';
import { JobState } from '../gen/millrace/v1/admin_pb.ts';
import { assertTransition, canTransition, isEnded, JOB_STATES, toProtoState } from './state.ts';

describe('job states', () => {
  it('allow exactly these transitions', () => {
    const allowed = JOB_STATES.flatMap((from) => JOB_STATES.filter((to) => canTransition(from, to)).map((to) => `${from}>${to}`));
    expect(allowed).toEqual([
      'QUEUED>RUNNING',
      'QUEUED>PAUSED',
      'QUEUED>FAILED',
      'QUEUED>CANCELLED',
      'RUNNING>QUEUED',
      'RUNNING>PAUSED',
      'RUNNING>SUCCEEDED',
      'RUNNING>FAILED',
      'RUNNING>CANCELLED',
      'PAUSED>QUEUED',
      'PAUSED>FAILED',
      'PAUSED>CANCELLED',
      'FAILED>QUEUED',
    ]);
    expect(JOB_STATES.filter(isEnded)).toEqual(['SUCCEEDED', 'FAILED', 'CANCELLED']);
  });

  it('say what would be allowed instead', () => {
    expect(() => assertTransition('PAUSED', 'RUNNING', 'job a')).toThrow(
      expect.objectContaining({
        code: 'failed_precondition',
        message: 'job a is PAUSED and cannot become RUNNING: from PAUSED it can go to QUEUED, FAILED, CANCELLED',
      }),
    );
    expect(() => assertTransition('CANCELLED', 'RUNNING')).toThrow(/CANCELLED is final; create a new job/);
  });

  it('translate to the proto enum', () => {
    for (const state of JOB_STATES) expect(JobState[toProtoState(state)]).toBe(state);
  });
});
