import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { Lease } from '../../src/protocol/lease.ts';
import { ScoredGroupSchema, Verdict } from '../../src/gen/millrace/v1/training_pb.ts';
import { emptyLedger } from '../../src/jobs/ledger.ts';
import { createJobRecord } from '../../src/jobs/record.ts';
import type { CompleteRound } from '../../src/jobs/round-machine.ts';
import { decodeProgress, type TrainingProgress } from '../../src/protocol/progress.ts';
import { progressSubject } from '../../src/protocol/subjects.ts';
import { RoundReporter, type ComputedRound } from './round-reporter.ts';
import { arrived, type Group } from './scored.ts';
import type { TrainerJob } from './trainer-job.ts';

const score = { valid: true, success: true, reward: 0.75, outcome: 1, steps: 2 };
const groupOf = (sequence: number, policyVersion: number, verdict = Verdict.SIGNAL): Group =>
  arrived(create(ScoredGroupSchema, { request: { sequence: BigInt(sequence) }, policyVersion, verdict, scores: [score, score] }));
const counted = [groupOf(0, 4), groupOf(1, 3), groupOf(2, 4, Verdict.NO_SIGNAL)];
const round: CompleteRound<Group> = {
  version: 4,
  trained: counted.slice(0, 2),
  counted,
  ledger: emptyLedger(),
  expired: 2,
  failed: 1,
  exhausted: false,
  startedAt: 100,
};
const computed: ComputedRound = {
  round,
  outcome: {
    weight: 4,
    statistics: { loss: 2, entropy: 1 },
    means: { advantage: 0.25 },
    decisions: 12,
    gradientNorm: 0.5,
    learningRate: 0.01,
    updates: 1,
    shards: 3,
  },
  gatheredAt: 1100,
  computedAt: 1400,
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let job: TrainerJob;
let reporter: RoundReporter;
let nodes: MemoryNodes;
beforeEach(async () => {
  folder = await temporaryFolder();
  nodes = new MemoryNodes(folder.path);
  const context = await nodes.clock.run(nodes.node('parameter-server'));
  const record = createJobRecord({ id: 'a', config: thermostatJob(), now: 1 });
  const runtime = await nodes.clock.run(context.runtimes.get(record));
  job = { context, runtime, lease: {} as Lease, record };
  reporter = new RoundReporter(job, { learners: ['one', 'two'] as never });
});
afterEach(() => folder.remove());

describe('RoundReporter', () => {
  it('makes the row of a round from what it was computed with', () => {
    expect(reporter.row(computed, 1500)).toMatchObject({
      job: 'a',
      version: 5,
      groups: 3,
      trained: 2,
      filtered: 1,
      expired: 2,
      failed: 1,
      trajectories: 6,
      decisions: 12,
      reward_mean: 0.75,
      staleness_mean: 1 / 3,
      staleness_max: 1,
      loss: 0.5,
      entropy: 0.25,
      wait_groups_ms: 1000,
      compute_ms: 300,
      commit_ms: 100,
      round_ms: 1400,
      learners: 2,
      shards: 3,
      metrics: { updates: 1, advantage: 0.25, loss: 0.5 },
    });
  });

  it('measures a committed round and the ledger', async () => {
    reporter.measure(reporter.row(computed, 1500), round);
    reporter.measureLedger({ ...emptyLedger(), trained: 7n, expired: 2n });
    reporter.measureLedger({ ...emptyLedger(), trained: 8n, expired: 2n });
    const text = await job.context.metrics.text();
    expect(text).toContain('millrace_rounds_total{job="a"} 1');
    expect(text).toContain('millrace_round_seconds_sum{job="a"} 1.4');
    expect(text).toContain('millrace_policy_version{job="a"} 5');
    expect(text).toContain('millrace_staleness_versions_count{job="a"} 3');
    expect(text).toContain('millrace_groups_total{job="a",outcome="trained"} 8');
    expect(text).toContain('millrace_groups_total{job="a",outcome="expired"} 2');
  });

  it('sends progress with what is wrong, until a round is fine again', async () => {
    const sent: TrainingProgress[] = [];
    job.context.bus.listen(progressSubject('a'), (bytes) => sent.push(decodeProgress(bytes)));
    const at = { round: 4, groups: { received: 1, needed: 8 } };
    reporter.progress(at);
    reporter.judge({ ...round, exhausted: true });
    reporter.progress(at);
    reporter.progress({ ...at, problem: 'disk full' });
    reporter.judge(round);
    reporter.progress(at);
    await nodes.clock.run(nodes.clock.sleep(100));
    expect(sent[0]).toEqual({ ...at, learners: 2 });
    expect(sent.map(({ problem }) => problem)).toEqual([
      undefined,
      expect.stringMatching(/^tasks too easy/),
      'disk full',
      undefined,
    ]);
  });

  it('publishes a row once, however often it is published', async () => {
    const row = reporter.row(computed, 1500);
    await nodes.clock.run(reporter.publishRow(5, row));
    await nodes.clock.run(reporter.publishRow(5, row));
    const rows: string[] = [];
    const consumer = await nodes.clock.run(
      job.context.bus.consume({ stream: 'EVENTS', durable: 'test', filter: 'event.a.update' }, async (message) => {
        rows.push(new TextDecoder().decode(message.data));
        await message.ack();
      }),
    );
    await nodes.clock.run(nodes.clock.sleep(1000));
    await nodes.clock.run(consumer.stop());
    expect(rows).toHaveLength(1);
    expect(rows[0]).toContain('0.75');
  });
});
