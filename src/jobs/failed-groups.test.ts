import { describe, expect, it } from 'vitest';
import type { Ledger } from '../gen/millrace/v1/training_pb.ts';
import { FailedGroups } from './failed-groups.ts';
import { emptyLedger, end } from './ledger.ts';

/** A ledger in which the first `n` requests failed. */
function failed(n: number, failure: string, before: Ledger = emptyLedger()): Ledger {
  let ledger = before;
  for (let i = 0; i < n; i += 1) ledger = end(ledger, ledger.frontier, { failed: failure });
  return ledger;
}

describe('FailedGroups', () => {
  it('gives up after five rounds of failed groups at one version, and names their classes', () => {
    const groups = new FailedGroups('retail-3');
    expect(groups.check(3, failed(2, 'EARLIER'), 4)).toBeUndefined();
    expect(groups.check(3, failed(19, 'TOOL_CRASH', failed(2, 'EARLIER')), 4)).toBeUndefined();
    expect(groups.check(3, failed(20, 'TOOL_CRASH', failed(2, 'EARLIER')), 4)).toMatch(
      /^20 groups failed in a row without one that counts \(20 × TOOL_CRASH\)/,
    );
  });

  it('counts anew with every version, and for a job that goes on', () => {
    const groups = new FailedGroups('retail-3');
    groups.check(3, failed(0, 'X'), 4);
    groups.check(3, failed(19, 'X'), 4);
    expect(groups.check(4, failed(25, 'X'), 4)).toBeUndefined();
    expect(new FailedGroups('retail-3').check(3, failed(40, 'X'), 4)).toBeUndefined();
  });
});
