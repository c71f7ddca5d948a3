import { describe, expect, it } from 'vitest';
import { eValue } from '../../algo/stats/sequential.ts';
import type { Arm } from './assignment.ts';
import {
  decided,
  decodeExperiment,
  encodeExperiment,
  newExperiment,
  published,
  withOutcome,
  type Experiment,
  type ServedOutcome,
} from './experiment.ts';

const fresh = (more: Partial<Experiment> = {}): Experiment => ({
  ...newExperiment(
    {
      ...{ id: 'x', agent: 'retail', champion: 'retail-1@40', candidate: 'retail-2@80', share: 0.5, owner: 'ana' },
      ...{ alpha: 0.05, minPairs: 5, maxPairs: 100, rewardWithinMs: 1000 },
    },
    7,
  ),
  ...more,
});
const outcome = (n: number, arm: Arm, reward: number): ServedOutcome => ({
  ...{ unit: String(n).padStart(8, '0'), arm, reward, trajectory: `t${n}`, servedAt: n, at: n + 1 },
});
/** Pairs in which the candidate solves its task and the champion does not. */
function won(pairs: number, of: Experiment = fresh()): Experiment {
  for (let n = 0; n < 2 * pairs; n += 1) of = withOutcome(of, outcome(n, n % 2 === 0 ? 'champion' : 'candidate', n % 2)) ?? of;
  return of;
}

describe('an experiment', () => {
  it('decides with the outcome that makes the evidence, notes its numbers, and counts no more', () => {
    const open = won(7);
    expect([open.state, open.decision]).toEqual(['RUNNING', undefined]);
    const ended = won(20);
    const evidence = eValue({ wins: 8, losses: 0 });
    expect(ended).toMatchObject({ state: 'PROMOTED', evidence, endedAt: 16, applied: false });
    expect(ended.decision).toEqual({
      ...{ kind: 'promote', by: 'rule', wins: 8, losses: 0, ties: 0, units: 16, evidence, threshold: 20, alpha: 0.05, at: 16 },
      reason: 'the candidate is better: 8 to 0 pairs, E 28.44 ≥ 20',
    });
    expect(ended.unpublished.outcomes).toHaveLength(16);
    expect(ended.unpublished.decision).toBe(true);
  });

  it('counts a unit once', () => {
    const one = withOutcome(fresh(), outcome(1, 'champion', 1))!;
    expect(withOutcome(one, { ...outcome(1, 'champion', 0), trajectory: 'another' })).toBeUndefined();
  });

  it('is decided by a person with the numbers of that moment', () => {
    const ended = decided(won(3), { kind: 'rollback', by: 'person', reason: 'complaints', at: 50 });
    expect(ended).toMatchObject({ state: 'ROLLED_BACK', decision: { by: 'person', wins: 3, reason: 'complaints' } });
    expect(withOutcome(ended, outcome(90, 'candidate', 1))).toBeUndefined();
  });

  it('forgets the rows that were published, and those alone', () => {
    const ended = won(20);
    const some = published(ended, 10, false);
    expect([some.unpublished.outcomes[0]?.ordinal, some.unpublished.decision]).toEqual([11, true]);
    expect(published(some, 16, true).unpublished).toEqual({ outcomes: [], decision: false });
  });

  it('comes back as it was written, and damage is named', () => {
    const ended = won(20);
    expect(decodeExperiment(encodeExperiment(ended), 'x')).toEqual(ended);
    expect(() => decodeExperiment(encodeExperiment(ended), 'y')).toThrow('under another key');
    expect(() => decodeExperiment(Buffer.from('{'))).toThrow('not JSON');
    expect(() => decodeExperiment(Buffer.from('{"format":2}'))).toThrow('upgrade');
    expect(() => decodeExperiment(encodeExperiment({ ...ended, share: 7 }))).toThrow('share');
  });
});
