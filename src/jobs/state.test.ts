import { describe, expect, it } from 'vitest';
import { JobState } from '../gen/millrace/v1/admin_pb.ts';
import { assertTransition, canTransition, isEnded, JOB_STATES, toProtoState } from './state.ts';

describe('job states', () => {
  it('allow exactly these transitions', () => {
    const allowed = JOB_STATES.flatMap((from) => JOB_STATES.filter((to) => canTransition(from, to)).map((to) => `${from}>${to}`));
    expect(allowed).toEqual([
      'QUEUED>RUNNING',
      'QUEUED>FAILED',
      'QUEUED>CANCELLED',
      'RUNNING>PAUSED',
      'RUNNING>SUCCEEDED',
      'RUNNING>FAILED',
      'RUNNING>CANCELLED',
      'PAUSED>RUNNING',
      'PAUSED>FAILED',
      'PAUSED>CANCELLED',
      'FAILED>RUNNING',
    ]);
    expect(JOB_STATES.filter(isEnded)).toEqual(['SUCCEEDED', 'FAILED', 'CANCELLED']);
  });

  it('say what would be allowed instead', () => {
    expect(() => assertTransition('QUEUED', 'PAUSED', 'job a')).toThrow(
      expect.objectContaining({
        code: 'failed_precondition',
        message: 'job a is QUEUED and cannot become PAUSED: from QUEUED it can go to RUNNING, FAILED, CANCELLED',
      }),
    );
    expect(() => assertTransition('CANCELLED', 'RUNNING')).toThrow(/CANCELLED is final; create a new job/);
  });

  it('translate to the proto enum', () => {
    for (const state of JOB_STATES) expect(JobState[toProtoState(state)]).toBe(state);
  });
});
