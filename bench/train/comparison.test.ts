import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { comparisonText, ratioOf, rowOf, secondsAt, type TrainingRun } from './comparison.ts';
import { runOfReport } from './millrace.ts';
import { runOfLines, type PeerLine } from './pytorch.ts';
import { outcomeOf } from '../../cluster/report/outcome.ts';
import { JobSchema } from '../../src/gen/millrace/v1/admin_pb.ts';

/** Slow at first, then four times as fast: flows become shorter. */
const millrace: TrainingRun = {
  system: 'millrace',
  trajectories: 3000,
  seconds: 30,
  curve: [
    { trajectories: 0, seconds: 0, success: 0 },
    { trajectories: 1000, seconds: 20, success: 0.4 },
    { trajectories: 2000, seconds: 25, success: 0.85 },
    { trajectories: 3000, seconds: 30, success: 0.84 },
  ],
};
const pytorch: TrainingRun = {
  system: 'pytorch-python',
  trajectories: 500,
  seconds: 40,
  curve: [
    { trajectories: 0, seconds: 0, success: 0 },
    { trajectories: 500, seconds: 40, success: 0.1 },
  ],
};

describe('a row of the comparison', () => {
  it('has the throughput and the first time at 85 %', () => {
    expect(rowOf(millrace)).toEqual({
      ...millrace,
      trajectoriesPerSecond: 100,
      secondsTo85: 25,
      trajectoriesTo85: 2000,
      heldOut: 0.84,
    });
    expect(rowOf(pytorch)).toMatchObject({ trajectoriesPerSecond: 12.5, secondsTo85: null, trajectoriesTo85: null });
    expect(rowOf({ ...pytorch, trajectories: 0, seconds: 0, curve: [] })).toMatchObject({
      trajectoriesPerSecond: 0,
      heldOut: null,
    });
  });
});

describe('the ratio', () => {
  it('compares the trajectories that both made, not the throughput of whole runs', () => {
    // 500 trajectories took 10 s and 40 s.
    expect(ratioOf(millrace, pytorch)).toEqual({ ratio: 4, trajectories: 500 });
    expect(ratioOf(millrace, millrace)).toEqual({ ratio: 1, trajectories: 3000 });
    expect(ratioOf({ ...millrace, trajectories: 0, seconds: 0, curve: [] }, pytorch).ratio).toBe(0);
  });

  it('is that of the throughputs where both made as many', () => {
    const twice = { ...millrace, seconds: 60, curve: millrace.curve.map((point) => ({ ...point, seconds: 2 * point.seconds })) };
    expect(ratioOf(millrace, twice).ratio).toBeCloseTo(
      rowOf(millrace).trajectoriesPerSecond / rowOf(twice).trajectoriesPerSecond,
    );
  });

  it('is linear between the points of a curve', () => {
    expect([0, 500, 1000, 1500, 3000, 9000].map((n) => secondsAt(millrace, n))).toEqual([0, 10, 20, 22.5, 30, 30]);
    // An evaluation before the end is no end.
    expect(secondsAt({ ...millrace, trajectories: 4000, seconds: 40 }, 3500)).toBe(35);
  });
});

describe('what is compared', () => {
  it('is the training in the report of the cluster', () => {
    const { curve } = millrace;
    const report = {
      ...{ job: 'retail-1', state: 'succeeded', checkpoint: '', processes: [], outcome: outcomeOf(create(JobSchema)) },
      heldOut: {
        ...{ tasks: 93, doNothing: 0, random: 0, untrained: 0, oracle: 1, trained: null, incomplete: false },
        baselines: { doNothing: null, random: null, untrained: null, oracle: null },
      },
      ...{ trajectories: 3000, trainSeconds: 30, totalSeconds: 90, trajectoriesPerSecond: 100 },
      curve: curve.map((point) => ({ ...point, judged: 93, notJudged: 0, incomplete: false })),
      collapse: null,
      accounting: { requests: 0, trained: 0, filtered: 0, expired: 0, failed: 0 },
    };
    expect(runOfReport(report)).toEqual(millrace);
  });

  it("is the training in the peer's lines, up to the last one", () => {
    const lines: PeerLine[] = [
      { start: true, threads: 2, torch: '1.13', train: 357, heldOut: 93 },
      { round: 0, trajectories: 0, seconds: 0, success: 0 },
      { round: 1, trajectories: 250, seconds: 19, reward: 0.1, environmentSeconds: 9 },
      { round: 2, trajectories: 500, seconds: 40, reward: 0.2, environmentSeconds: 20, success: 0.1 },
    ];
    expect(runOfLines('python', lines)).toEqual({ run: pytorch, threads: 2, torch: '1.13', environmentSeconds: 20 });
    expect(runOfLines('node', []).run).toEqual({ system: 'pytorch-node', trajectories: 0, seconds: 0, curve: [] });
  });
});

describe('the table', () => {
  it('shows a row for each system, with a dash for what was not reached', () => {
    const lines = comparisonText([rowOf(millrace), rowOf(pytorch)])
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s{2,}/));
    expect(lines).toEqual([
      ['system', 'trajectories/s', '85 % after', 'trajectories', 'held out', 'in all', 'trajectories'],
      ['millrace', '100', '25.0 s', '2,000', '84.0 %', '30.0 s', '3,000'],
      ['pytorch-python', '13', '-', '-', '10.0 %', '40.0 s', '500'],
    ]);
  });
});
