import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Bus } from '../bus.ts';
import type { BusHarness } from './harness.ts';

/** What each test of a group is given. */
export interface Fixture {
  harness: BusHarness;
  /** A connection shared by the group. */
  bus: Bus;
}

/** A group of tests on one harness; each body runs under its clock. */
export function suite(
  name: string,
  start: () => Promise<BusHarness>,
  define: (test: (what: string, body: (fixture: Fixture) => Promise<void>) => void) => void,
): void {
  describe(name, () => {
    let fixture: Fixture | undefined;
    beforeAll(async () => {
      const harness = await start();
      fixture = { harness, bus: (await harness.connect()).bus };
    }, 30_000);
    afterAll(() => fixture?.harness.stop(), 30_000);
    define((what, body) => {
      it(what, async () => fixture!.harness.run(body(fixture!)), 30_000);
    });
  });
}
