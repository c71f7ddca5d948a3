import type { VirtualClock } from '../../../src/clock/virtual.ts';
import type { TopologyOptions } from '../../../src/protocol/topology.ts';
import { NO_FAULTS, type FaultPlan } from '../faults/plan.ts';
import type { Observer } from '../observer.ts';
import { World } from '../world.ts';

const SEES_NOTHING: Observer = {
  published() {},
  acked() {},
  written() {},
  saw() {},
  powerLost() {},
  inserted() {},
};

/** A world in which nobody checks anything. Default: nothing goes wrong in it. */
export function testWorld({ plan = NO_FAULTS, topology = {} }: { plan?: FaultPlan; topology?: TopologyOptions } = {}): World {
  return new World({ seed: 1, plan, topology, observer: () => SEES_NOTHING });
}

/** How often somebody looks at the clock, in ms, so that there is always something to come. */
const TICK_MS = 10;

/** Lets virtual time go on by itself, for tests that drive no clock, until the function that this returns is called. */
export function goOn(clock: VirtualClock): () => void {
  const stopTicks = clock.every(TICK_MS, () => {});
  let end!: () => void;
  void clock.run(new Promise<void>((resolve) => (end = resolve)));
  return () => {
    stopTicks();
    end();
  };
}
