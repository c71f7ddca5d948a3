import { describe, expect, it } from 'vitest';
import { jobConfigSchema, type JobConfigInput } from '../../config/job.ts';
import { createJobRecord, ranMs, transition, type JobRecord } from '../record.ts';
import { emptyOwnerLedger, withBlock, withSpent, type OwnerLedger } from './owner-ledger.ts';
import { budgetUses, groupsAffordable, isFree, pauseMessage } from './status.ts';

const NOW = Date.UTC(2026, 10, 30);
const LEDGER = withSpent(emptyOwnerLedger('local', '2026-11'), 'a', { microDollars: 400_000, tokens: 90 });

function job(budget: JobConfigInput['budget'], more: Partial<JobRecord> = {}): JobRecord {
  const config = jobConfigSchema.parse({ name: 'a', flow: './flow.ts', budget, rollout: { groupSize: 4 } });
  const record = createJobRecord({ id: 'a', config, now: NOW - 3_600_000 });
  return { ...transition(record, 'RUNNING', { now: NOW - 3_600_000 }), ...more };
}

const uses = (record: JobRecord, ledgers: OwnerLedger[] = [LEDGER], ownerLimit = 1_000_000) =>
  budgetUses(record, { ledgers, ownerLimit, now: NOW });
const exhausted = (...args: Parameters<typeof uses>) =>
  uses(...args).flatMap((use) => (use.exhausted ? [`${use.of} ${use.unit} ${use.spent}/${use.limit}`] : []));

describe('the budgets of a job', () => {
  it('are exhausted when their limit is reached', () => {
    expect(exhausted(job({}))).toEqual([]);
    expect(exhausted(job({}), [LEDGER], 400_000)).toEqual(['owner dollars 400000/400000']);
    expect(exhausted(job({ dollars: 0.4, tokens: 90, trajectories: 8, wallTime: '60m' }, { accepted: 2 }))).toEqual([
      'job dollars 400000/400000',
      'job tokens 90/90',
      'job trajectories 8/8',
      'job wall_time 3600000/3600000',
    ]);
    expect(exhausted(job({ dollars: 0.41, tokens: 91, trajectories: 12, wallTime: '61m' }, { accepted: 2 }))).toEqual([]);
  });

  it('are exhausted by what was refused, beside what is set aside, and by nobody else', () => {
    const needed = { microDollars: 10_000, tokens: 0 };
    const refused = { ...LEDGER, jobs: { a: { ...LEDGER.jobs['a']!, refused: { by: 'job' as const, needed, at: NOW } } } };
    expect(exhausted(job({ dollars: 0.41 }), [refused])).toEqual([]);
    const block = { job: 'a', holder: 'n', exchange: 1, left: { microDollars: 1, tokens: 0 } };
    expect(exhausted(job({ dollars: 0.41 }), [withBlock(refused, 'n/a', block)])).toEqual(['job dollars 400000/410000']);
    expect(exhausted(job({}), [withBlock(refused, 'n/a', block)], 400_001)).toEqual([]);
  });

  it('of the job are of all months, of its owner of this one', () => {
    const october = withSpent(emptyOwnerLedger('local', '2026-10'), 'a', { microDollars: 700_000, tokens: 0 });
    expect(exhausted(job({ dollars: 1.1 }), [october, LEDGER])).toEqual(['job dollars 1100000/1100000']);
  });

  it('are those that were set last', () => {
    expect(exhausted(job({ tokens: 1 }, { budget: { tokens: 91 } }))).toEqual([]);
  });

  it('are none for a job whose calls are free and that has no limit', () => {
    expect([isFree(job({}), []), isFree(job({}), [LEDGER]), isFree(job({ wallTime: '1h' }), [])]).toEqual([true, false, false]);
  });
});

it('a budget of trajectories says how many groups may still be asked for', () => {
  const evaluations = [{ tasks: 5 }] as JobRecord['evaluations'];
  expect(groupsAffordable(job({}))).toBe(Infinity);
  expect(groupsAffordable(job({ trajectories: 20 }, { accepted: 2 }))).toBe(3);
  expect(groupsAffordable(job({ trajectories: 20 }, { accepted: 2, evaluations }))).toBe(1);
  expect(groupsAffordable(job({ trajectories: 7 }, { accepted: 2 }))).toBe(0);
});

it('a job runs while it is RUNNING', () => {
  const running = transition(createJobRecord({ id: 'a', config: job({}).config, now: 0 }), 'RUNNING', { now: 1000 });
  expect(ranMs(running, 5000)).toBe(4000);
  const paused = transition(running, 'PAUSED', { now: 6000, pause: { reason: 'BUDGET_EXHAUSTED', message: 'x' } });
  expect([ranMs(paused, 9000), paused.pause?.message]).toEqual([5000, 'x']);
  const again = transition(transition(paused, 'QUEUED', { now: 9000 }), 'RUNNING', { now: 10_000 });
  expect([ranMs(again, 12_000), again.pause]).toEqual([7000, undefined]);
  expect(ranMs(transition(again, 'SUCCEEDED', { now: 13_000 }), 99_000)).toBe(8000);
});

it('a pause says which budget, how much was spent and what lets the job go on', () => {
  const [owner] = uses(job({}), [LEDGER], 400_000);
  expect(pauseMessage(owner!, job({}))).toBe(
    'spent $0.40 of the $0.40 of owner local for this month (UTC): raise it with `millrace budget set local DOLLARS` (or wait for the next month), then `millrace job resume a`',
  );
  const [, , own] = uses(job({ dollars: 9, wallTime: '1h' }));
  expect(pauseMessage(own!, job({}))).toBe(
    'spent 60.0 minutes of the 60.0 minutes of job a: raise it with `millrace job set-budget a --wall-time …`, then `millrace job resume a`',
  );
});
