import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { storeIsBehind, admit } from './admission.ts';
import { accounting, checkLedger, emptyLedger, open } from './ledger.ts';
import { RoundAssembly, type ArrivedGroup, type Disposition } from './round.ts';

const settings = fc.record({
  maxStaleness: fc.integer({ min: 0, max: 4 }),
  groupsPerRound: fc.integer({ min: 1, max: 6 }),
  rounds: fc.integer({ min: 1, max: 8 }),
});

describe('admission', () => {
  it('admits (η + version + 1) · B and what was lost, never more than the rounds need', () => {
    const ledger = { expired: 0n, failed: 0n };
    const state = { ledger, maxStaleness: 1, groupsPerRound: 8, rounds: 10 };
    expect(admit({ ...state, accepted: 0, version: 0 })).toBe(16);
    expect(admit({ ...state, accepted: 16, version: 0 })).toBe(0);
    expect(admit({ ...state, accepted: 16, version: 1 })).toBe(8);
    expect(admit({ ...state, accepted: 16, version: 0, ledger: { expired: 2n, failed: 1n } })).toBe(3);
    expect(admit({ ...state, accepted: 78, version: 9 })).toBe(2);
    expect(admit({ ...state, accepted: 80, version: 10 })).toBe(0);
  });

  // The worst case for staleness: requests run with the version they were sent at, and every version is dispatched for as
  // soon as it can be. Consumed in order, no group is ever older than η.
  it('keeps staleness within η when groups are consumed in order, and never locks up', () => {
    fc.assert(
      fc.property(settings, fc.infiniteStream(fc.nat({ max: 9 })), (job, stream) => {
        let [accepted, version] = [0, 0];
        const lost = { expired: 0n, failed: 0n };
        const inFlight: { version: number }[] = [];
        let counted = 0;
        let guard = 0;
        while (version < job.rounds) {
          expect(++guard).toBeLessThan(5000);
          const draw = stream.next().value as number;
          const room = admit({ accepted, ledger: lost, version, ...job });
          if (inFlight.length === 0) expect(room).toBeGreaterThan(0);
          const dispatched = inFlight.length === 0 ? Math.max(1, Math.min(room, draw)) : Math.min(room, draw);
          for (let i = 0; i < dispatched; i++) inFlight.push({ version });
          accepted += dispatched;
          const group = draw % 3 === 0 || dispatched === 0 ? inFlight.shift() : undefined;
          if (group === undefined) continue;
          if (draw === 7) {
            lost.failed += 1n;
            continue;
          }
          expect(version - group.version).toBeLessThanOrEqual(job.maxStaleness);
          counted += 1;
          if (counted % job.groupsPerRound === 0) version += 1;
        }
        expect(accepted).toBe(counted + Number(lost.failed) + inFlight.length);
        expect(accepted).toBeLessThanOrEqual(job.rounds * job.groupsPerRound + Number(lost.expired) + Number(lost.failed));
      }),
    );
  });

  // Any order of arrival, redelivery, failures and groups without signal, with the whole of round assembly: the job always
  // ends, every trained group is within η, and the accounts balance.
  it('ends every job with exact accounting under any order of arrival', () => {
    fc.assert(
      fc.property(
        settings,
        fc.option(fc.integer({ min: 1, max: 3 })),
        fc.infiniteStream(fc.nat({ max: 999 })),
        (sizes, draws, stream) => {
          const job = { ...sizes, draws: draws ?? undefined, refill: draws !== null };
          const draw = (n: number): number => (stream.next().value as number) % n;
          let round = new RoundAssembly<ArrivedGroup>({ ledger: emptyLedger(), version: 0, ...job });
          let accepted = 0;
          const inFlight: ArrivedGroup[] = [];
          const decided: { group: ArrivedGroup; disposition: Disposition; version: number }[] = [];
          const offer = (group: ArrivedGroup): void => {
            decided.push({ group, disposition: round.offer(group), version: round.version });
          };
          for (let guard = 0; round.version < job.rounds; guard++) {
            expect(guard).toBeLessThan(5000);
            const room = admit({ accepted, ledger: round.live, version: round.version, ...job });
            for (let i = 0; i < room; i++) inFlight.push(arrived(accepted++, round.version, draw(10)));
            // A commit may take long: groups go on arriving while the round is full.
            if (round.complete && (inFlight.length === 0 || draw(3) > 0)) {
              const next = round.next();
              checkLedger(next.round.live, accepted);
              round = next.round;
              for (const { group, disposition } of next.decided) decided.push({ group, disposition, version: round.version });
              continue;
            }
            const [group] = inFlight.splice(draw(inFlight.length), 1);
            if (group === undefined) throw new Error('locked up: nothing in flight and nothing admitted');
            offer(group);
            if (draw(5) === 0) offer(group);
          }
          checkLedger(round.live, accepted);
          const accounts = accounting(round.live, accepted);
          const full = job.rounds * job.groupsPerRound;
          if (draws === null) expect(accounts.trained + accounts.filtered).toBe(full);
          else {
            expect(accounts.trained).toBeLessThanOrEqual(full);
            expect(accounts.trained + accounts.filtered).toBeGreaterThanOrEqual(full);
            expect(accounts.open).toBeLessThanOrEqual((job.maxStaleness + 1) * job.groupsPerRound);
          }
          expect(open(round.live, accepted)).toHaveLength(accounts.open);
          for (const { group, disposition, version } of decided) {
            if (disposition === 'trained' || disposition === 'filtered') {
              expect(version - group.policyVersion).toBeLessThanOrEqual(job.maxStaleness);
            }
          }
        },
      ),
    );
  });
});

function arrived(sequence: number, policyVersion: number, kind: number): ArrivedGroup {
  const verdict = kind === 0 ? 'failed' : kind < 3 ? 'no_signal' : 'signal';
  return { sequence, policyVersion, verdict, trajectories: 4, ...(verdict === 'failed' && { failure: 'TOOL_TIMEOUT' }) };
}

describe('storeIsBehind', () => {
  it('begins above the high mark and ends at the low one', () => {
    const marks = { high: 10, low: 3 };
    let behind = false;
    const seen = [0, 10, 11, 10, 4, 3, 4, 10, 11, 50, 2].map((groups) => (behind = storeIsBehind(behind, groups, marks)));
    expect(seen).toEqual([false, false, true, true, true, false, false, false, true, true, false]);
  });
});
