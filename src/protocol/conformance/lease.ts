import { expect } from 'vitest';
import { acquireLease, leaseOwner } from '../lease.ts';
import type { BusHarness } from '../../bus/conformance/harness.ts';
import { bytes, eventually, failure, within } from '../../bus/conformance/harness.ts';
import { suite } from '../../bus/conformance/suite.ts';
import { systemRandom } from '../../random/seeded.ts';

/** Leases: one owner at a time, and a token that tells them apart. */
export function describeLease(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: leases`, start, (test) => {
    const random = systemRandom();
    test('one owner at a time; after a release the next has a greater token', async ({ bus, harness }) => {
      const { clock } = harness;
      const first = (await acquireLease({ bus, clock, random }, 'turns', { owner: 'a' }))!;
      expect(await acquireLease({ bus, clock, random }, 'turns', { owner: 'b' })).toBeUndefined();
      expect(await leaseOwner(bus, 'turns')).toMatchObject({ owner: 'a' });
      expect(first.held).toBe(true);
      await first.release();
      await first.lost;
      await first.release();
      expect(first.held).toBe(false);
      const second = (await acquireLease({ bus, clock, random }, 'turns', { owner: 'b' }))!;
      expect(second.token).toBeGreaterThan(first.token);
      await second.release();
    });

    test('it is renewed past its TTL', async ({ bus, harness }) => {
      const lease = (await acquireLease({ bus, clock: harness.clock, random }, 'renewed', { owner: 'a' }))!;
      await harness.clock.sleep(3500);
      expect(lease.held).toBe(true);
      expect(await acquireLease({ bus, clock: harness.clock, random }, 'renewed', { owner: 'b' })).toBeUndefined();
      await lease.release();
    });

    test('an owner that is cut off loses it before another gets it', async ({ bus, harness }) => {
      const { clock } = harness;
      const cut = await harness.connect();
      const first = (await acquireLease({ bus: cut.bus, clock, random }, 'cut', { owner: 'a' }))!;
      const from = clock.monotonic();
      let lostAt = 0;
      void first.lost.then(() => (lostAt = clock.monotonic()));
      cut.cut();
      let second: Awaited<ReturnType<typeof acquireLease>>;
      await eventually(
        clock,
        async () => (second = await acquireLease({ bus, clock, random }, 'cut', { owner: 'b' })) !== undefined,
        'the expiry',
      );
      const gotAt = clock.monotonic();
      await within(clock, first.lost, 'the loss');
      expect(second!.token).toBeGreaterThan(first.token);
      expect(lostAt).toBeLessThanOrEqual(gotAt);
      expect(gotAt - from).toBeGreaterThanOrEqual(900);
      await second!.release();
    });

    test('it is lost when somebody else writes the key', async ({ bus, harness }) => {
      const lease = (await acquireLease({ bus, clock: harness.clock, random }, 'stolen', { owner: 'a' }))!;
      const revision = await bus.kv('leases').put('stolen', bytes('{"owner":"thief"}'));
      await within(harness.clock, lease.lost, 'the loss');
      await lease.release();
      expect((await bus.kv('leases').get('stolen'))?.revision).toBe(revision);
    });

    test('after the bucket was lost and made again, the lease is not taken from its new owner', async ({ bus, harness }) => {
      const { clock } = harness;
      const anew = async (): Promise<void> => {
        await harness.deleteBucket('leases');
        await bus.ensureTopology();
      };
      // So that both leases have the same revision.
      await anew();
      const first = (await acquireLease({ bus, clock, random }, 'again', { owner: 'a' }))!;
      await anew();
      const second = (await acquireLease({ bus, clock, random }, 'again', { owner: 'b' }))!;
      expect(second.token).toBe(first.token);
      await within(clock, first.lost, 'the loss');
      await clock.sleep(1500);
      expect(second.held).toBe(true);
      expect(await leaseOwner(bus, 'again')).toMatchObject({ owner: 'b' });
      await second.release();
    });

    test('an abort releases it; wrong lives are refused', async ({ bus, harness }) => {
      const { clock } = harness;
      const stop = new AbortController();
      const lease = (await acquireLease({ bus, clock, random }, 'abort', { owner: 'a', signal: stop.signal }))!;
      stop.abort();
      await within(clock, lease.lost, 'the release');
      await eventually(clock, async () => (await leaseOwner(bus, 'abort')) === undefined, 'the key to go');
      expect((await failure(acquireLease({ bus, clock, random }, 'abort', { owner: 'a', signal: stop.signal }))).code).toBe(
        'cancelled',
      );
      expect(await failure(acquireLease({ bus, clock, random }, 'abort', { owner: 'a', ttlMs: 5000 }))).toMatchObject({
        code: 'invalid_argument',
        field: 'ttlMs',
      });
    });
  });
}
