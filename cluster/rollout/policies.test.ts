import { create } from '@bufbuild/protobuf';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { MillraceError } from '../../src/errors.ts';
import { WeightManifestSchema, type WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { actingPolicy } from '../../src/policy/planner/acting.ts';
import { plannerParameterCount } from '../../src/policy/planner/layout.ts';
import { createPlanner } from '../../src/policy/planner/planner.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import type { NodeContext } from '../runtime/context.ts';
import { FollowedPolicy } from './policies.ts';

beforeAll(() => initCompute());

let policy: FollowedPolicy | undefined;
afterEach(() => policy?.close());

const spec = smallSpec();

/** A job's policy over weights that are announced by `announce` and fetched by `fetch`. */
async function follow(
  fetch: (manifest: WeightManifest, part: string) => Promise<Uint8Array>,
  { newest = 0, averaged = false }: { newest?: number; averaged?: boolean } = {},
) {
  const reported: string[] = [];
  const clock = new VirtualClock();
  let announce: (manifest: WeightManifest) => void = () => {};
  const weights = {
    watch: (_: string, handler: typeof announce) => {
      announce = handler;
      return Promise.resolve(() => {});
    },
    manifest: (job: string, version: number) =>
      Promise.resolve(
        create(WeightManifestSchema, averaged ? { job, version, average: {} } : { job, version, policyKind: 'bandit' }),
      ),
    latest: (job: string) =>
      Promise.resolve({ manifest: create(WeightManifestSchema, { job, version: newest }), revision: newest }),
    fetch,
  };
  const notices = {
    report: (_: string, { code }: { code: string }) => {
      reported.push(code);
      return Promise.resolve();
    },
  };
  policy = await FollowedPolicy.open({ clock, weights, notices, log: silentLogger() } as unknown as NodeContext, 'job', {
    kind: spec.kind,
    create: () => actingPolicy(createPlanner(spec)),
  });
  const version = (version: number, policyKind = ''): void =>
    announce(create(WeightManifestSchema, { job: 'job', version, policyKind, ...(averaged && { average: {} }) }));
  return { clock, policy, reported, announce: version };
}

const whole = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(4 * plannerParameterCount(spec)));

it('fetches weights again that could not be fetched', async () => {
  let fetches = 0;
  const { clock, policy, announce } = await follow(() => {
    fetches += 1;
    if (fetches <= 3) return Promise.reject(new MillraceError('unavailable', 'the bus is away'));
    return whole();
  });
  announce(7);
  const lease = await clock.run(policy.acquire(7, false));
  expect(lease.version).toBe(7);
  expect(fetches).toBe(4);
  expect(clock.monotonic()).toBeLessThan(5_000);
  lease.release();
});

it.each([
  { newest: 7, notices: ['WEIGHTS_DAMAGED'] },
  // A process that stood still learns of version 7 when there is version 8, and chunks of 7 are not kept any more.
  { newest: 8, notices: [] },
])('reports weights of version 7 that are gone only while they are the newest: $newest', async ({ newest, notices }) => {
  const gone = (): Promise<never> => Promise.reject(new MillraceError('not_found', 'chunks are gone'));
  const { clock, reported, announce } = await follow(gone, { newest });
  announce(7);
  await clock.run(clock.sleep(100));
  expect(reported).toEqual(notices);
});

it('fetches the average once for all flows that are pinned to a version, and acts in training with the weights', async () => {
  const fetched: string[] = [];
  const fetch = ({ version }: WeightManifest, part: string): Promise<Uint8Array> => {
    fetched.push(`${part}@${version}`);
    return whole();
  };
  const { clock, policy, announce } = await follow(fetch, { averaged: true });
  announce(7);
  const training = await clock.run(policy.acquire(7, false));
  const pinned = await clock.run(Promise.all([1, 2, 3].map(() => policy.acquire(7, true))));
  expect(fetched).toEqual(['weights@7', 'average@7']);
  expect(new Set(pinned.map((lease) => lease.policy)).size).toBe(1);
  expect(pinned[0]!.policy).not.toBe(training.policy);
  for (const lease of [...pinned, training]) lease.release();
  announce(8);
  (await clock.run(policy.acquire(8, false))).release();
  (await clock.run(policy.acquire(7, true))).release();
  (await clock.run(policy.acquire(8, true))).release();
  expect(fetched).toEqual(['weights@7', 'average@7', 'weights@8', 'average@8']);
});

it('refuses weights of another policy kind at once', async () => {
  const { clock, policy, announce } = await follow(whole);
  announce(1, 'planner');
  const first = await clock.run(policy.acquire(1, false));
  const waiting = policy.acquire(2, false);
  announce(2, 'bandit');
  const refusal = {
    code: 'failed_precondition',
    field: 'policy.kind',
    message:
      'version 2 of job job has weights of policy kind "bandit", and this process runs the job with policy kind "planner": they are not loaded',
  };
  await expect(clock.run(waiting)).rejects.toMatchObject(refusal);
  expect(clock.monotonic()).toBeLessThan(1_000);
  await expect(clock.run(policy.acquire(2, true))).rejects.toMatchObject(refusal);
  // What is in memory goes on, and so does a version of the right kind.
  first.release();
  announce(3, 'planner');
  const third = await clock.run(policy.acquire(3, false));
  expect(third.version).toBe(3);
  third.release();
});
