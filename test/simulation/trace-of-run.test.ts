import { describe, expect, it } from 'vitest';
import type { TraceEvent } from '../../cluster/simulation/trace.ts';
import { traceOfRun } from './trace-of-run.ts';

const event = (index: number, lane: string, kind: string, text: string, fault?: string): TraceEvent => ({
  ...{ index, at: index * 10, lane, kind, text },
  ...(fault !== undefined && { fault }),
});

describe('the trace of a run', () => {
  const events = [
    event(0, 'learner-1', 'start', 'learner-1/1'),
    event(1, 'nats', 'stored', 'x'),
    event(2, 'faults', 'partition', 'partition@store#4 from nats for 20 ms', 'partition@store#4'),
    event(3, 'faults', 'slow', 'slow@reward-1 ack group.job#2', 'slow@reward-1 ack group.job#2'),
    event(4, 'faults', 'heal', 'partition@store#4', 'partition@store#4'),
    event(5, 'faults', 'clock-drift', 'clock-drift@store', 'clock-drift@store'),
    event(6, 'client', 'job', 'is created'),
    event(7, 'coordinator-1', 'start', 'coordinator-1/2'),
  ];
  const result = { seed: 3, job: 'small', hash: '', events: 8, seconds: 1, faults: {}, struck: [], seen: [], trace: events };
  const about = { commit: 'abc', command: 'run' };

  it('has its faults in words, with their ends, and its lanes from top to bottom', () => {
    const run = traceOfRun({ ...result, outcome: 'failed', invariant: 'ledger-adds-up', reason: 'off by 1' }, about);
    expect(run.faults).toEqual([
      { id: 'partition@store#4', at: 20, untilMs: 40, text: 'partition: store from nats for 20 ms' },
      { id: 'slow@reward-1 ack group.job#2', at: 30, text: 'slow: reward-1 ack group.job, the 3rd time' },
      { id: 'clock-drift@store', at: 50, text: 'clock drift: store' },
    ]);
    expect(run.lanes).toEqual(['client', 'faults', 'coordinator-1', 'nats', 'learner-1']);
    expect(run).toMatchObject({ ...about, job: 'small', reason: 'ledger-adds-up: off by 1', outcome: 'failed' });
  });

  it('has no reason where nothing broke', () => {
    expect(traceOfRun({ ...result, outcome: 'passed' }, about)).not.toHaveProperty('reason');
  });
});
