import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Bus } from '../bus.ts';
import type { BusHarness } from './harness.ts';

/** What every group of tests needs of its harness. */
type SuiteHarness = Pick<BusHarness, 'run' | 'stop'> & { connect(): Promise<{ bus: Bus }> };

/** What each test of a group is given. */
export interface Fixture<H extends SuiteHarness = BusHarness> {
  harness: H;
  /** A connection shared by the group. */
  bus: Bus;
}

/** A group of tests on one harness; each body runs under its clock. */
export function suite<H extends SuiteHarness = BusHarness>(
  name: string,
  start: () => Promise<H>,
  define: (test: (what: string, body: (fixture: Fixture<H>) => Promise<void>) => void) => void,
): void {
  describe(name, () => {
    let fixture: Fixture<H> | undefined;
    beforeAll(async () => {
      const harness = await start();
      fixture = { harness, bus: (await harness.connect()).bus };
    }, 30_000);
    afterAll(() => fixture?.harness.stop(), 30_000);
    define((what, body) => {
      it.sequential(what, async () => fixture!.harness.run(body(fixture!)), 30_000);
    });
  });
}
