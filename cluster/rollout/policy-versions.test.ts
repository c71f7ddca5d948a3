import { describe, expect, it } from 'vitest';
import { emptyState } from '../../src/explore/state.ts';
import type { ActingPolicy } from '../../src/policy/kind.ts';
import type { PolicyLease } from '../../src/flow/policies.ts';
import { PolicyVersions } from './policy-versions.ts';

/** Versions over policies that only count. */
function versions(): { versions: PolicyVersions; made: () => number; disposed: () => number } {
  let [made, disposed] = [0, 0];
  const create = (): ActingPolicy => {
    made += 1;
    return { load: () => undefined, dispose: () => (disposed += 1) } as unknown as ActingPolicy;
  };
  return { versions: new PolicyVersions(create), made: () => made, disposed: () => disposed };
}

const values = new Float32Array(1);

describe('PolicyVersions', () => {
  it('gives new flows the newest version and keeps older ones while they are used', () => {
    const { versions: policies, made } = versions();
    policies.publish(1, values);
    const old = policies.acquire(0, false)!;
    policies.publish(2, values);
    policies.publish(1, values);
    expect([old.version, policies.newest, policies.acquire(0, false)!.version]).toEqual([1, 2, 2]);
    expect(policies.acquire(3, false)).toBeUndefined();
    expect(policies.acquire(1, true)!.version).toBe(1);
    expect(made()).toBe(2);
  });

  it('gives each version what exploration knew at it, also where an instance is used again', () => {
    const { versions: policies } = versions();
    const known = { ...emptyState(), version: 1 };
    policies.publish(1, values, { exploration: known });
    const old = policies.acquire(1, false)!;
    policies.publish(2, values);
    expect([old.exploration, policies.acquire(2, false)!.exploration]).toEqual([known, undefined]);
    old.release();
    policies.publish(3, values);
    expect(policies.acquire(3, false)!.exploration).toBeUndefined();
  });

  it('gives a flow that is pinned to a version the average of its weights, and training the newest weights', () => {
    const loaded: number[] = [];
    const policies = new PolicyVersions(() => {
      const policy = { weights: 0, load: (given: Float32Array) => loaded.push((policy.weights = given[0]!)), dispose: () => {} };
      return policy as unknown as ActingPolicy;
    });
    const weightsOf = (lease: PolicyLease): number => (lease.policy as unknown as { weights: number }).weights;
    policies.publish(1, Float32Array.of(10), { averaged: true });
    expect(policies.acquire(1, true)).toBeUndefined();
    const pinned = policies.leasePinned(1, Float32Array.of(5));
    expect(weightsOf(pinned)).toBe(5);
    expect(weightsOf(policies.acquire(1, true)!)).toBe(5);
    expect(weightsOf(policies.acquire(1, false)!)).toBe(10);
    expect(loaded).toEqual([10, 5]);
  });

  it('uses the instance of a version that nobody uses any more', () => {
    const { versions: policies, made } = versions();
    policies.publish(1, values);
    policies.acquire(1, false)!.release();
    policies.publish(2, values);
    policies.publish(3, values);
    expect(made()).toBe(2);
  });

  it('frees what is idle when it is closed, and the rest with the end of its flows', () => {
    const { versions: policies, made, disposed } = versions();
    policies.publish(1, values);
    const [first, second] = [policies.acquire(1, false)!, policies.acquire(1, false)!];
    policies.publish(2, values);
    policies.close();
    expect(disposed()).toBe(1);
    first.release();
    first.release();
    expect(disposed()).toBe(1);
    second.release();
    expect(disposed()).toBe(made());
    expect(policies.acquire(1, true)).toBeUndefined();
    expect(() => policies.leasePinned(1, values)).toThrow(expect.objectContaining({ code: 'cancelled' }));
  });
});
