import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded.ts';
import { MillraceError } from '../errors.ts';
import { isPermanent, RestartBudget } from './supervision.ts';

describe('RestartBudget', () => {
  it('doubles the wait from 100 ms up to 10 s', () => {
    const budget = new RestartBudget({ jitter: 0, maxRestarts: 10 }, seededRandom(1));
    const waits = Array.from({ length: 10 }, () => budget.next(0));
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  });

  it('keeps every wait within the bounds, jitter included', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 50 }), (seed, gaps) => {
        const budget = new RestartBudget({}, seededRandom(seed));
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          const wait = budget.next(now);
          if (wait === undefined) continue;
          expect(wait).toBeGreaterThanOrEqual(100);
          expect(wait).toBeLessThanOrEqual(10_000);
        }
      }),
    );
  });

  it('gives up after maxRestarts within the window and starts over after a quiet window', () => {
    const budget = new RestartBudget({ maxRestarts: 2, windowMs: 1000, jitter: 0 }, seededRandom(1));
    expect([budget.next(0), budget.next(10), budget.next(20)]).toEqual([100, 200, undefined]);
    expect(budget.next(2000)).toBe(100);
  });

  it('gives up on failures that never leave it a quiet window, however long the waits', () => {
    const budget = new RestartBudget({ jitter: 0 }, seededRandom(1));
    let [now, restarts] = [0, 0];
    for (let wait = budget.next(now); wait !== undefined; wait = budget.next(now)) {
      restarts += 1;
      now += wait + 5_000;
    }
    expect(restarts).toBe(10);
  });

  it('gives up at once with maxRestarts 0', () => {
    expect(new RestartBudget({ maxRestarts: 0 }, seededRandom(1)).next(0)).toBeUndefined();
  });
});

describe('isPermanent', () => {
  it('holds for what a restart meets again', () => {
    for (const code of ['invalid_argument', 'failed_precondition', 'not_found', 'data_loss', 'permission_denied'] as const)
      expect([code, isPermanent(new MillraceError(code, 'x'))]).toEqual([code, true]);
    // A lost lease, a closed connection, a stopped actor, a defect: not the last word about the job.
    for (const code of ['aborted', 'unavailable', 'cancelled', 'internal'] as const)
      expect([code, isPermanent(new MillraceError(code, 'x', { retryable: false }))]).toEqual([code, false]);
    expect(isPermanent(new MillraceError('not_found', 'x', { retryable: true }))).toBe(false);
    expect(isPermanent(new TypeError('x'))).toBe(false);
  });
});
