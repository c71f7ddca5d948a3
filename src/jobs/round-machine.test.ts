import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accounting, checkLedger, emptyLedger, hasEnded } from './ledger.ts';
import { RoundMachine } from './round-machine.ts';
import type { ArrivedGroup } from './round.ts';

const limits = { groupsPerRound: 2, maxStaleness: 1 };
const start = { ledger: emptyLedger(), version: 0, now: 0, ...limits };
const group = (sequence: number, rest: Partial<ArrivedGroup> = {}): ArrivedGroup => ({
  sequence,
  policyVersion: 0,
  verdict: 'signal',
  trajectories: 8,
  ...rest,
});
const machine = (rest: Partial<typeof start & { draws: number }> = {}): RoundMachine<ArrivedGroup, string> =>
  new RoundMachine({ ...start, ...rest });
const arrive = (rounds: RoundMachine<ArrivedGroup, string>, one: ArrivedGroup, delivery = `d${one.sequence}`) =>
  rounds.arrived({ group: one, delivery, requestedAt: 0 });

describe('RoundMachine', () => {
  it('gives what a complete round is computed and committed from', () => {
    const rounds = machine();
    expect(rounds.complete).toBeUndefined();
    arrive(rounds, group(3));
    arrive(rounds, group(1, { verdict: 'failed', failure: 'TOOL_CRASH' }));
    arrive(rounds, group(0));
    const complete = rounds.complete!;
    expect(complete).toMatchObject({ version: 0, expired: 0, failed: 1, exhausted: false });
    expect(complete.trained.map(({ sequence }) => sequence)).toEqual([0, 3]);
    expect(complete.counted.map(({ sequence }) => sequence)).toEqual([3, 0]);
    expect(accounting(complete.ledger, 4)).toMatchObject({ trained: 2, open: 1, failedByClass: { TOOL_CRASH: 1 } });
  });

  it('returns deliveries only once their group has ended in a committed ledger', () => {
    const rounds = machine();
    arrive(rounds, group(0), 'first');
    arrive(rounds, group(0), 'again');
    arrive(rounds, group(1, { verdict: 'failed' }), 'lost');
    expect(rounds.hasEnded(1)).toBe(false);
    expect(accounting(rounds.amendment!, 2)).toMatchObject({ failed: 1, trained: 0, open: 1 });
    expect(rounds.amended()).toEqual(['lost']);
    expect([rounds.hasEnded(1), rounds.amendment]).toEqual([true, undefined]);
    arrive(rounds, group(2, { verdict: 'no_signal' }), 'filtered');
    expect(rounds.amendment).toBeUndefined();
    expect(rounds.committed(10)).toEqual(['first', 'again', 'filtered']);
    expect([rounds.version, rounds.count, rounds.complete]).toEqual([1, 0, undefined]);
  });

  it('amends filtered groups where dynamic sampling replaces them', () => {
    const rounds = machine({ draws: 3 });
    expect(arrive(rounds, group(0, { verdict: 'no_signal' }))).toBe('filtered');
    expect(accounting(rounds.amendment!, 1)).toMatchObject({ filtered: 1, open: 0 });
    expect(rounds.amended()).toEqual(['d0']);
    for (const sequence of [1, 2, 3, 4, 5]) arrive(rounds, group(sequence, { verdict: 'no_signal' }));
    expect(rounds.complete).toMatchObject({ exhausted: true, trained: [] });
    expect(rounds.complete!.counted).toHaveLength(6);
  });

  it('carries groups of a full round over into the next ones', () => {
    const rounds = machine({ maxStaleness: 0 });
    for (const sequence of [0, 1]) arrive(rounds, group(sequence));
    expect([2, 3].map((sequence) => arrive(rounds, group(sequence, { policyVersion: sequence - 2 })))).toEqual(['held', 'held']);
    expect(rounds.committed(10)).toEqual(['d0', 'd1']);
    expect(accounting(rounds.amendment!, 4)).toMatchObject({ trained: 2, expired: 1, open: 1 });
    expect(rounds.amended()).toEqual(['d2']);
    arrive(rounds, group(4, { policyVersion: 1 }));
    expect(rounds.complete).toMatchObject({ version: 1, expired: 1, failed: 0 });
  });

  it('counts training time from the first request, without pauses', () => {
    const rounds = machine({ maxStaleness: 9 });
    const at = (sequence: number, requestedAt: number): unknown =>
      rounds.arrived({ group: group(sequence), delivery: '', requestedAt });
    at(0, 40);
    at(1, 50);
    expect(rounds.complete!.startedAt).toBe(40);
    rounds.committed(100);
    rounds.paused(120);
    at(2, 90);
    at(3, 200);
    expect(rounds.complete!.startedAt).toBe(120);
    rounds.committed(300);
    at(4, 10);
    at(5, 10);
    expect(rounds.complete!.startedAt).toBe(300);
  });

  // Deliveries in any order and number, commits, amendments, pauses and crashes at any point.
  it('keeps the ledger adding up and ends every delivery once, whatever happens', () => {
    const kind = fc.constantFrom<Partial<ArrivedGroup>>(
      {},
      {},
      { verdict: 'no_signal' },
      { verdict: 'failed', failure: 'TOOL_TIMEOUT' },
    );
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.record({ do: fc.constant('deliver' as const), pick: fc.nat({ max: 99 }), kind }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'amend' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'pause' as const) }) },
    );
    const sizes = fc.record({
      groupsPerRound: fc.integer({ min: 1, max: 4 }),
      maxStaleness: fc.integer({ min: 0, max: 2 }),
      draws: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(sizes, fc.array(step, { maxLength: 120 }), (job, steps) => {
        const ACCEPTED = 30;
        let now = 0;
        let stored = { ledger: emptyLedger(), version: 0 };
        const begin = () => new RoundMachine<ArrivedGroup, { sequence: number }>({ ...job, ...stored, now });
        let rounds = begin();
        let unacked = new Set<{ sequence: number }>();
        let counted = { trained: 0, lost: 0 };
        const ack = (deliveries: readonly { sequence: number }[]): void => {
          for (const delivery of deliveries) {
            expect(unacked.delete(delivery)).toBe(true);
            expect(hasEnded(stored.ledger, delivery.sequence)).toBe(true);
          }
          for (const { sequence } of unacked) expect(hasEnded(stored.ledger, sequence)).toBe(false);
        };
        for (const one of steps) {
          now += 1;
          const { complete, amendment } = rounds;
          if (one.do === 'deliver') {
            const sequence = one.pick % ACCEPTED;
            expect(rounds.hasEnded(sequence)).toBe(hasEnded(stored.ledger, sequence));
            if (rounds.hasEnded(sequence)) continue;
            const delivery = { sequence };
            unacked.add(delivery);
            const policyVersion = Math.max(0, stored.version - (one.pick % 4));
            rounds.arrived({ group: group(sequence, { policyVersion, ...one.kind }), delivery, requestedAt: now });
          } else if (one.do === 'commit' && complete) {
            const before = stored.ledger;
            stored = { ledger: complete.ledger, version: complete.version + 1 };
            counted.trained += complete.trained.length;
            counted.lost += complete.expired + complete.failed;
            expect(complete.startedAt).toBeLessThanOrEqual(now);
            expect(Number(stored.ledger.trained - before.trained)).toBe(complete.trained.length);
            ack(rounds.committed(now));
          } else if (one.do === 'amend' && amendment) {
            stored = { ...stored, ledger: amendment };
            ack(rounds.amended());
          } else if (one.do === 'pause') rounds.paused(now);
          else if (one.do === 'crash') {
            unacked = new Set();
            rounds = begin();
            counted = { trained: Number(stored.ledger.trained), lost: Number(stored.ledger.expired + stored.ledger.failed) };
          }
          checkLedger(stored.ledger, ACCEPTED);
          if (rounds.amendment) checkLedger(rounds.amendment, ACCEPTED);
          expect(Number(stored.ledger.trained)).toBe(counted.trained);
          expect(Number(stored.ledger.expired + stored.ledger.failed)).toBeGreaterThanOrEqual(counted.lost);
          expect(rounds.version).toBe(stored.version);
        }
      }),
    );
  });
});
