import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../config/job.ts';
import type { Ledger } from '../gen/millrace/v1/training_pb.ts';
import { WeightManifestSchema, type WeightManifest } from '../gen/millrace/v1/weights_pb.ts';
import { MAX_FAILED_ROUNDS } from './failed-groups.ts';
import { JobMachine, type JobConditions, type JobStep } from './job-machine.ts';
import { checkLedger, emptyLedger, end, hasEnded } from './ledger.ts';
import { createJobRecord, transition, type JobRecord } from './record.ts';
import { RoundMachine } from './round-machine.ts';
import type { ArrivedGroup } from './round.ts';

interface Sizes {
  rounds: number;
  groupsPerRound: number;
  maxStaleness: number;
}

const quiet = { every: 0, baselines: false };

function recordOf({ rounds, ...rollout }: Sizes, evaluation: Partial<JobRecord['config']['evaluation']> = quiet): JobRecord {
  const config = jobConfigSchema.parse({ name: 'a', flow: 'flow.ts', rounds, rollout, evaluation });
  return transition(createJobRecord({ id: 'a', config, now: 1 }), 'RUNNING', { now: 2 });
}

const committed = (version: number, ledger: Ledger = emptyLedger(), optimizerSteps = version): WeightManifest =>
  create(WeightManifestSchema, { job: 'a', version, ledger, optimizerSteps });
const ended = (...sequences: number[]): Ledger =>
  sequences.reduce<Ledger>((ledger, sequence) => end(ledger, sequence, 'trained', 2), emptyLedger());

const sizes = { rounds: 3, groupsPerRound: 2, maxStaleness: 1 };
const free: JobConditions = {
  held: false,
  hasRule: true,
  validationTasks: 100,
  testTasks: 0,
  evaluations: [],
  evaluationsUnsent: false,
  room: Infinity,
  evaluationRoom: Infinity,
};

/** A machine in which every request that is open was sent. */
function running(record = recordOf(sizes), manifest = committed(0)): JobMachine {
  const machine = new JobMachine({ record, revision: 1 });
  machine.committed(manifest);
  machine.requestsSent([], true);
  return machine;
}

describe('JobMachine', () => {
  it('waits for a version, for the job to run and for what holds requests', () => {
    const machine = new JobMachine({ record: recordOf(sizes), revision: 1 });
    expect(machine.next(free)).toEqual({ kind: 'wait' });
    machine.committed(committed(0));
    expect(machine.next({ ...free, held: true })).toEqual({ kind: 'wait' });
    expect(machine.next(free)).toEqual({ kind: 'send-open', sequences: [] });
    machine.recordChanged({ record: transition(machine.record, 'PAUSED', { now: 3 }), revision: 2 });
    expect(machine.next(free)).toEqual({ kind: 'wait' });
  });

  it('admits within the staleness bound', () => {
    const machine = running();
    expect(machine.next(free)).toEqual({ kind: 'admit', sequences: [0, 1, 2, 3] });
    machine.recordChanged({ record: { ...machine.record, accepted: 4 }, revision: 2 });
    machine.requestsAdmitted([0, 1, 2, 3], true);
    expect(machine.next(free)).toEqual({ kind: 'send', sequences: [0, 1, 2, 3] });
    machine.requestsSent([0, 1, 2, 3], true);
    expect(machine.next(free)).toEqual({ kind: 'wait' });
    machine.committed(committed(1, ended(0, 1)));
    expect(machine.next(free)).toEqual({ kind: 'admit', sequences: [4, 5] });
  });

  it('sends open requests again after a crash, past all that the ledger knows', () => {
    const machine = new JobMachine({ record: { ...recordOf(sizes), accepted: 2 }, revision: 1 });
    machine.committed(committed(0, ended(0, 3)));
    expect(machine.next(free)).toEqual({ kind: 'raise-accepted', accepted: 4 });
    machine.recordChanged({ record: { ...machine.record, accepted: 4 }, revision: 2 });
    expect(machine.next(free)).toEqual({ kind: 'send-open', sequences: [1, 2] });
    machine.requestsSent([1, 2], false);
    expect(machine.next({ ...free, room: 1 })).toEqual({ kind: 'send-open', sequences: [1] });
    machine.requestsSent([1], true);
    expect(machine.next({ ...free, room: 0 })).toEqual({ kind: 'wait', blocked: true });
    expect(machine.next(free)).toEqual({ kind: 'send-open', sequences: [2] });
    machine.requestsSent([2], true);
    expect(machine.next(free)).toEqual({ kind: 'wait' });
    machine.requestsLost();
    expect(machine.next(free)).toEqual({ kind: 'send-open', sequences: [1, 2] });
  });

  it('sends again what another actor of the job has admitted meanwhile', () => {
    const machine = running();
    expect(machine.next(free)).toMatchObject({ kind: 'admit' });
    machine.recordChanged({ record: { ...machine.record, accepted: 5 }, revision: 2 });
    machine.requestsAdmitted([0, 1, 2, 3], false);
    expect(machine.next(free)).toEqual({ kind: 'send-open', sequences: [0, 1, 2, 3, 4] });
  });

  it('runs baselines alone, before the first request', () => {
    const machine = running(recordOf(sizes, { every: 2, baselines: true }));
    const keys = (step: JobStep): string[] => (step.kind === 'start-evaluations' ? step.plans.map(({ key }) => key) : []);
    expect(keys(machine.next({ ...free, hasRule: false }))).toEqual(['do-nothing@0', 'random@0', 'untrained@0']);
    const evaluations = keys(machine.next(free));
    expect(evaluations).toEqual(['do-nothing@0', 'random@0', 'untrained@0', 'rule@0']);
    expect(machine.next({ ...free, evaluations, evaluationsUnsent: true })).toEqual({
      kind: 'send-evaluations',
      limit: Infinity,
    });
    expect(machine.next({ ...free, evaluations })).toEqual({ kind: 'wait' });
    const done = evaluations.map((key) => ({ name: key.split('@')[0]!, policyVersion: 0 }) as JobRecord['evaluations'][number]);
    machine.recordChanged({ record: { ...machine.record, evaluations: done }, revision: 2 });
    expect(machine.next(free)).toMatchObject({ kind: 'admit' });
  });

  it('sends no more than there is room for, training and evaluations by turns', () => {
    const evaluation = { every: 2, baselines: false };
    const machine = running({ ...recordOf({ ...sizes, rounds: 9 }, evaluation), accepted: 0 }, committed(2));
    const at = { ...free, evaluations: ['trained@2'], evaluationsUnsent: true };
    expect(machine.next({ ...at, room: 0 })).toEqual({ kind: 'wait', blocked: true });
    expect(machine.next({ ...at, room: 5, evaluationRoom: 0 })).toMatchObject({ kind: 'admit' });
    expect(machine.next({ ...at, room: 5, evaluationRoom: 9 })).toEqual({ kind: 'send-evaluations', limit: 3 });
    machine.evaluationsSent();
    const step = machine.next({ ...at, room: 2, evaluationRoom: 9 });
    // One change of the record for all that may be admitted, however little there is room for.
    const admitted = [0, 1, 2, 3, 4, 5, 6, 7];
    expect(step).toEqual({ kind: 'admit', sequences: admitted });
    machine.recordChanged({ record: { ...machine.record, accepted: 8 }, revision: 2 });
    machine.requestsAdmitted(admitted, true);
    expect(machine.next({ ...at, room: 2, evaluationRoom: 9 })).toEqual({ kind: 'send', sequences: [0, 1] });
    machine.requestsSent([0, 1], true);
    expect(machine.next({ ...at, room: 1, evaluationRoom: 9 })).toEqual({ kind: 'send-evaluations', limit: 1 });
    machine.evaluationsSent();
    expect(machine.next({ ...at, room: 1, evaluationRoom: 9 })).toEqual({ kind: 'send', sequences: [2] });
    expect(machine.next({ ...at, room: 0 })).toEqual({ kind: 'wait', blocked: true });
    machine.requestsSent([2, 3, 4, 5, 6, 7], true);
    machine.recordChanged({ record: { ...machine.record, accepted: 7 }, revision: 3 });
    expect(machine.next({ ...at, evaluationsUnsent: false, room: 0 })).toEqual({ kind: 'wait', blocked: true });
  });

  it('looks at the test tasks once, when all else is done, with the version that was best on the validation tasks', () => {
    const measured = (name: string, policyVersion: number, successes: number): JobRecord['evaluations'][number] => ({
      ...{ name, policyVersion, tasks: 10, successes, failed: 0, failures: {}, metrics: {}, types: {} },
      ...{ meanReward: 0, meanSteps: 0, trajectories: 0, trainSeconds: 0 },
    });
    const all = ended(0, 1, 2, 3, 4, 5, 6, 7);
    const job = { ...recordOf({ ...sizes, rounds: 4 }, { every: 2, baselines: true, samples: 3 }), accepted: 8 };
    const validated = ['do-nothing', 'random', 'untrained', 'rule'].map((name) => measured(name, 0, 0));
    const evaluations = [...validated, measured('trained', 2, 9), measured('trained', 4, 7)];
    const at = { ...free, testTasks: 10 };
    const keys = ['test-untrained@0', 'test-rule@0', 'test-trained@2', 'test-sampled@2'];
    const machine = running({ ...job, evaluations }, committed(4, all));
    const step = machine.next(at);
    expect(step).toMatchObject({ kind: 'start-evaluations', plans: keys.map((key) => ({ key, taskSet: 'test' })) });
    expect((step as { plans: { samples: number }[] }).plans.map(({ samples }) => samples)).toEqual([1, 1, 1, 3]);
    expect(machine.next({ ...at, evaluations: ['test-rule@0'] })).toEqual({ kind: 'wait' });
    const tested = keys.map((key) => measured(key.split('@')[0]!, Number(key.split('@')[1]), 5));
    expect(running({ ...job, evaluations: [...evaluations, ...tested] }, committed(4, all)).next(at)).toMatchObject({
      kind: 'end',
    });
    // Not while a version is measured on the validation tasks, and not where there are none.
    expect(running({ ...job, evaluations: evaluations.slice(0, -1) }, committed(4, all)).next(at)).toMatchObject({
      plans: [{ key: 'trained@4' }],
    });
    const without = running({ ...job, evaluations }, committed(4, all));
    expect(without.next({ ...at, testTasks: 0 })).toMatchObject({ plans: [{ key: 'sampled@2', taskSet: 'validation' }] });
  });

  it('measures the last version that was due where several commits are seen at once', () => {
    const evaluation = { every: 2, baselines: false };
    const machine = running({ ...recordOf({ ...sizes, rounds: 5 }, evaluation), accepted: 10 }, committed(5));
    expect(machine.next(free)).toMatchObject({
      kind: 'start-evaluations',
      plans: [{ key: 'trained@4' }, { key: 'trained@5' }],
    });
    const last = running({ ...recordOf({ ...sizes, rounds: 4 }, evaluation), accepted: 8 }, committed(4));
    expect(last.next(free)).toMatchObject({ plans: [{ key: 'trained@4' }] });
    // An evaluation of a trained version runs beside the training.
    const beside = running({ ...recordOf({ ...sizes, rounds: 5 }, evaluation), accepted: 0 }, committed(2));
    expect(beside.next({ ...free, evaluations: ['trained@2'] })).toMatchObject({ kind: 'admit' });
  });

  it('ends: cancelled, with its rounds done, with nothing learned, beyond help', () => {
    const cancelled = running();
    cancelled.recordChanged({ record: { ...cancelled.record, cancelRequested: true }, revision: 2 });
    expect(cancelled.next({ ...free, held: true })).toEqual({ kind: 'end', state: 'CANCELLED' });
    const done = { ...recordOf(sizes), accepted: 6 };
    done.evaluations = [{ name: 'trained', policyVersion: 3 } as JobRecord['evaluations'][number]];
    const all = ended(0, 1, 2, 3, 4, 5);
    expect(running(done, committed(3, all)).next({ ...free, evaluations: ['trained@2'] })).toEqual({ kind: 'wait' });
    expect(running(done, committed(3, all)).next(free)).toEqual({ kind: 'end', state: 'SUCCEEDED' });
    expect(running(done, committed(3, all, 0)).next(free)).toMatchObject({ state: 'FAILED', error: /^NOTHING_TO_LEARN/ });
    const failing = running({ ...recordOf(sizes), accepted: 40 });
    expect(failing.next(free).kind).toBe('wait');
    let ledger = emptyLedger();
    for (let s = 0; s < MAX_FAILED_ROUNDS * 2; s += 1) ledger = end(ledger, s, { failed: 'TOOL_CRASH' });
    failing.committed(committed(0, ledger));
    expect(failing.next(free)).toMatchObject({ kind: 'end', state: 'FAILED', error: /10 × TOOL_CRASH/ });
    const over = running(transition(recordOf(sizes), 'FAILED', { now: 3 }));
    expect([over.ended, over.next(free)]).toEqual([true, { kind: 'wait' }]);
  });

  it('ignores older records and versions', () => {
    const machine = running();
    machine.committed(committed(2));
    machine.committed(committed(1));
    machine.recordChanged({ record: { ...machine.record, accepted: 9 }, revision: 5 });
    machine.recordChanged({ record: { ...machine.record, accepted: 1 }, revision: 4 });
    expect([machine.manifest!.version, machine.record.accepted]).toEqual([2, 9]);
  });

  // The machine with a trainer's rounds, a record and a queue as they are kept elsewhere: crashes of either at any point, deliveries
  // in any order, twice, or failing.
  it('ends every job with exact accounting and bounded staleness, whatever happens', () => {
    const arbitrary = fc.record({
      rounds: fc.integer({ min: 1, max: 5 }),
      groupsPerRound: fc.integer({ min: 1, max: 4 }),
      maxStaleness: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(arbitrary, fc.infiniteStream(fc.nat({ max: 999 })), (job, stream) => {
        const draw = (n: number): number => (stream.next().value as number) % n;
        const world = { record: recordOf(job), revision: 1, stored: { ledger: emptyLedger(), version: 0 } };
        const queue = new Map<number, number>();
        const beginRounds = () => new RoundMachine<ArrivedGroup, number>({ ...job, ...world.stored, now: 0 });
        const beginJob = (): JobMachine => {
          const machine = new JobMachine({ record: world.record, revision: world.revision });
          machine.committed(manifest());
          return machine;
        };
        const manifest = (): WeightManifest => committed(world.stored.version, world.stored.ledger);
        const write = (change: Partial<JobRecord>): void => {
          world.record = { ...world.record, ...change };
          world.revision += 1;
          machine.recordChanged({ record: world.record, revision: world.revision });
        };
        const store = (ledger: Ledger, version: number): void => {
          world.stored = { ledger, version };
          machine.committed(manifest());
        };
        const send = (sequences: readonly number[]): void => {
          // A pause, or a crash between two requests, leaves some out.
          const sent = draw(6) === 0 ? sequences.slice(0, draw(sequences.length + 1)) : sequences;
          for (const sequence of sent) if (!queue.has(sequence)) queue.set(sequence, world.stored.version);
          machine.requestsSent(sequences, sent.length === sequences.length);
        };
        let rounds = beginRounds();
        let machine = beginJob();
        let step: JobStep = { kind: 'wait' };
        let evaluated: string[] = [];
        const crashes = draw(2) === 0;
        for (let guard = 0; step.kind !== 'end'; guard += 1) {
          expect(guard).toBeLessThan(20_000);
          step = machine.next({ ...free, held: draw(10) === 0, room: draw(4) === 0 ? draw(3) : Infinity });
          if (step.kind === 'raise-accepted') write({ accepted: step.accepted });
          else if (step.kind === 'send-open' || step.kind === 'send') send(step.sequences);
          else if (step.kind === 'admit') {
            expect(step.sequences[0]).toBe(world.record.accepted);
            write({ accepted: step.sequences.at(-1)! + 1 });
            const { ledger, version } = world.stored;
            const lost = Number(ledger.expired + ledger.failed);
            const bound = Math.min(job.maxStaleness + version + 1, job.rounds) * job.groupsPerRound;
            expect(world.record.accepted - lost).toBeLessThanOrEqual(bound);
            machine.requestsAdmitted(step.sequences, true);
          } else if (step.kind === 'start-evaluations') {
            evaluated = [...evaluated, ...step.plans.map(({ key }) => key)];
            const results = step.plans.map(({ policyVersion }) => ({ name: 'trained', policyVersion }));
            write({ evaluations: [...world.record.evaluations, ...results] as JobRecord['evaluations'] });
          }
          if (crashes && draw(40) === 0) machine = beginJob();
          if (crashes && draw(40) === 0) rounds = beginRounds();
          const open = [...queue].filter(([sequence]) => !hasEnded(world.stored.ledger, sequence));
          const next = open[draw(Math.max(1, open.length))];
          if (next && draw(2) === 0) {
            const [sequence, policyVersion] = next;
            const verdict = (['failed', 'no_signal', 'signal', 'signal', 'signal'] as const)[draw(5)]!;
            rounds.arrived({ group: { sequence, policyVersion, verdict, trajectories: 2 }, delivery: sequence, requestedAt: 0 });
          }
          const { complete } = rounds;
          if (complete && world.stored.version < job.rounds) {
            store(complete.ledger, complete.version + 1);
            rounds.committed(0);
          }
          const { amendment } = rounds;
          if (amendment) {
            store(amendment, world.stored.version);
            rounds.amended();
          }
        }
        const { ledger, version } = world.stored;
        checkLedger(ledger, world.record.accepted);
        if (step.state === 'FAILED') expect(step.error).toMatch(/groups failed in a row/);
        else {
          expect([step.state, version]).toEqual(['SUCCEEDED', job.rounds]);
          expect(Number(ledger.trained + ledger.filtered)).toBe(job.rounds * job.groupsPerRound);
          expect(evaluated).toEqual([`trained@${job.rounds}`]);
        }
      }),
      { numRuns: 40 },
    );
  });
});
