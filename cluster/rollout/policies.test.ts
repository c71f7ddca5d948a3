import { create } from '@bufbuild/protobuf';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { MillraceError } from '../../src/errors.ts';
import { WeightManifestSchema, type WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { actingPolicy } from '../../src/policy/planner/acting.ts';
import { parameterCount } from '../../src/policy/planner/layout.ts';
import { createPlanner } from '../../src/policy/planner/planner.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import type { NodeContext } from '../runtime/context.ts';
import { FollowedPolicy } from './policies.ts';

beforeAll(() => initCompute());

let policy: FollowedPolicy | undefined;
afterEach(() => policy?.close());

it('fetches weights again that could not be fetched, for who waits for them, though no newer version comes', async () => {
  const clock = new VirtualClock();
  const spec = smallSpec();
  let announce: (manifest: WeightManifest) => void = () => {};
  let fetches = 0;
  const weights = {
    watch: (_: string, handler: typeof announce) => {
      announce = handler;
      return Promise.resolve(() => {});
    },
    fetch: () => {
      fetches += 1;
      if (fetches <= 3) return Promise.reject(new MillraceError('unavailable', 'the bus is away'));
      return Promise.resolve(new Uint8Array(4 * parameterCount(spec)));
    },
  };
  policy = await FollowedPolicy.open({ clock, weights, log: silentLogger() } as unknown as NodeContext, 'job', () =>
    actingPolicy(createPlanner(spec)),
  );
  announce(create(WeightManifestSchema, { job: 'job', version: 7 }));
  const lease = await clock.run(policy.acquire(7, false));
  expect(lease.version).toBe(7);
  expect(fetches).toBe(4);
  expect(clock.monotonic()).toBeLessThan(5_000);
  lease.release();
});
